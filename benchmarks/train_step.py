"""The training step against torch, process by process, in turn.

    python benchmarks/train_step.py [NET:BATCH:OPTIMIZER …] [--rounds 5] [--threads 2]

Each round starts every program anew (ours, then each rival), so that a drift of the machine meets
all alike. Prints medians of the step, the ratio rival / ours round by round, time to the first step
and peak memory. A ratio above 1 means that ours is faster.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

START = perf_counter()
CASES = (
    "cifar10:32:adam cifar10:128:adam resnet18_cifar:32:sgd resnet18_cifar:128:sgd resnet8:128:sgd "
    "resnet20:128:sgd vgg11_bn_cifar:64:sgd mobilenet_v2:64:sgd"
)
RIVALS = ("eager", "channels_last", "compile")
SPECS = Path(__file__).parent.parent / "specs"


def our_step(name, batch, optimizer, threads):
    from dataclasses import replace

    from cnndsl.api import parse
    from cnndsl.backend.training import StepOptions
    from cnndsl.backend.weights import initial_weights
    from cnndsl.optim import Adam, Sgd
    from cnndsl.recipe import Recipe
    from cnndsl.train.compiled import calibrate, compile_step, sample_feed
    from cnndsl.train.settings import Settings

    text = (SPECS / f"{name}.cnn").read_text()
    text = text.replace("3x224x224", "3x32x32").replace("dense 1000", "dense 10")
    model = parse(text).ir
    rule = Adam() if optimizer == "adam" else Sgd(lr=0.01, momentum=0.9, decay=5e-4)
    recipe = replace(Recipe(), optimizer=rule)
    weights, settings = initial_weights(model), Settings(Path(), "cpu", threads)
    best = calibrate(model, recipe, StepOptions(batch), weights, settings)[0].options
    compiled = compile_step(model, recipe, best, weights, settings)
    feed = sample_feed(compiled)
    return lambda: compiled.stepper.step(feed)


def work(program, name, batch, optimizer, threads):
    """One process: a line of JSON."""
    if program == "ours":
        step = our_step(name, batch, optimizer, threads)
    else:
        from rivals import torch_step

        step = torch_step(name, batch, optimizer, threads, program)
    step()
    first, times = perf_counter() - START, []
    while len(times) < 8 or (sum(times) < 2.5 and len(times) < 200):
        start = perf_counter()
        step()
        times.append(perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ms = float(np.median(times[2:])) * 1e3
    print(json.dumps({"ms": ms, "first": first, "gib": memory}))


def measure(program, case, threads):
    command = [sys.executable, __file__, "--work", program, "--threads", str(threads), case]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(case, rivals, rounds, threads):
    found = {program: [] for program in ("ours", *rivals)}
    for _ in range(rounds):
        for program, results in found.items():
            result = measure(program, case, threads)
            if result:
                results.append(result)
    print(f"\n{case}, {threads} threads, {rounds} rounds in turn")
    ours = [r["ms"] for r in found["ours"]]
    for program, results in found.items():
        if len(results) < rounds:
            print(f"  {program:<14} did not run")
            continue
        ms = [r["ms"] for r in results]
        ratios = sorted(a / b for a, b in zip(ms, ours, strict=True))
        first, memory = (float(np.median([r[k] for r in results])) for k in ("first", "gib"))
        print(f"  {program:<14} {np.median(ms):8.1f} ms   ratio of medians "
              f"{np.median(ms) / np.median(ours):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})   "
              f"first step {first:.1f} s   peak {memory:.2f} GiB", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=CASES.split())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rivals", default=",".join(RIVALS))
    parser.add_argument("--work")
    arguments = parser.parse_args()
    for case in arguments.cases:
        name, batch, optimizer = case.split(":")
        if arguments.work:
            work(arguments.work, name, int(batch), optimizer, arguments.threads)
        else:
            compare(case, arguments.rivals.split(","), arguments.rounds, arguments.threads)


if __name__ == "__main__":
    main()
