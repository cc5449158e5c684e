"""Weak scaling on one machine: one process, two that share twice the batch, and two threads.

    python benchmarks/processes.py [--rounds 3] [--part 128] [SPEC …]

Each round starts every way anew, in turn, so that a drift of the machine meets all alike; the best
step of all rounds counts. `cpu` is what a step takes of a processor's time, a fair figure where
others use the machine, too. It holds the waiting of MPI, which asks again and again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from turns import SPECS

MICRO = 32  # images whose activations are in the cache at once
WAYS = {
    "1 process, 1 thread": (1, 1),
    "2 processes, 1 thread": (2, 1),
    "1 process, 2 threads": (1, 2),
}


def worker(spec, batch, threads, seconds):
    """Time steps of a batch that the processes of MPI share; the first prints what it found."""
    from cnndsl.backend.step import StepOptions
    from cnndsl.cli.common import load
    from cnndsl.recipe import Recipe
    from cnndsl.training.compiled import compile_step, sample_feed
    from cnndsl.training.distributed import world
    from cnndsl.training.settings import Settings
    from cnndsl.weights.initial import initial_weights

    ranks, model = world(), load(Path(spec))
    part, settings = batch // ranks.size, Settings(Path(), "cpu", threads)
    recipe = replace(model.recipe or Recipe(), batch=batch, accumulate=1)
    options = StepOptions(part, max(1, part // MICRO))
    compiled = compile_step(model, recipe, options, initial_weights(model), settings, ranks)
    feed, times, end = sample_feed(compiled), [], perf_counter() + seconds
    while not times or ranks.share(perf_counter() < end):
        wall, cpu = perf_counter(), process_time()
        compiled.stepper.step(feed)
        times.append((perf_counter() - wall, process_time() - cpu))
    best = np.min(times[1:] or times, axis=0) * 1e3
    if ranks.rank == 0:
        print(json.dumps(best.tolist()))


def measured(spec, part, way, seconds):
    """Wall and processor milliseconds of a step; of two threads the batch is as large, too."""
    processes, threads = way
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"
    numbers = map(str, (part * processes * threads, threads, seconds))
    line = [beside, "-n", str(processes), sys.executable, __file__, "--worker", str(spec), *numbers]
    return json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("specs", nargs="*", default=["cifar10", "resnet18_cifar"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=4)
    given = parser.parse_args()
    for name in given.specs:
        spec = SPECS / f"{name}.cnn"
        rounds = [
            {label: measured(spec, given.part, way, given.seconds) for label, way in WAYS.items()}
            for _ in range(given.rounds)
        ]
        best = {label: np.min([r[label] for r in rounds], axis=0) for label in WAYS}
        one = best["1 process, 1 thread"]
        print(f"{name}: {given.part} images a process, best of {given.rounds} rounds")
        for label, (wall, cpu) in best.items():
            share = one[0] / wall  # of twice the speed of one process
            print(f"  {label:<22} {wall:8.1f} ms  cpu {cpu:8.1f} ms a process  {share:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
    else:
        main()
