"""Programs measured in turn, each in a process of its own: what the benchmarks share.

Each round starts every program anew (ours, then each rival), so that a drift of the machine meets
all alike. A ratio is rival / ours: above 1 means that ours is faster.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

START = perf_counter()
SPECS = Path(__file__).parent.parent / "specs"


CLOCKS = {"wall": perf_counter, "cpu": process_time}


def report(step, clock=perf_counter):
    """Time a step and print one line of JSON: median, seconds to the first, peak memory."""
    step()
    first, times = perf_counter() - START, []
    while len(times) < 8 or (sum(times) < 2.5 and len(times) < 200):
        start = clock()
        step()
        times.append(clock() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ms = float(np.median(times[2:])) * 1e3
    print(json.dumps({"ms": ms, "first": first, "gib": memory}))


def measured(command):
    """What one process reports, or None."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"  {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(case, programs, rounds, command_of):
    """Run `command_of(program, case)` in turn and print a line for each program; ours is first."""
    found = {program: [] for program in programs}
    for _ in range(rounds):
        for program, results in found.items():
            result = measured(command_of(program, case))
            if result:
                results.append(result)
    print(f"\n{case}, {rounds} rounds in turn")
    ours = [r["ms"] for r in found[programs[0]]]
    for program, results in found.items():
        if len(results) < rounds:
            print(f"  {program:<16} did not run")
            continue
        ms = [r["ms"] for r in results]
        ratios = sorted(a / b for a, b in zip(ms, ours, strict=True))
        first, memory = (float(np.median([r[k] for r in results])) for k in ("first", "gib"))
        print(f"  {program:<16} {np.median(ms):8.2f} ms   ratio of medians "
              f"{np.median(ms) / np.median(ours):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})   "
              f"best {min(ms):.2f} ms, {min(ms) / min(ours):.2f}   "
              f"first step {first:.1f} s   peak {memory:.2f} GiB", flush=True)  # fmt: skip


def spec_model(name):
    """The model of a spec, for pictures of 32x32 in ten classes."""
    from cnndsl.api import parse

    text = (SPECS / f"{name}.cnn").read_text()
    return parse(text.replace("3x224x224", "3x32x32").replace("dense 1000", "dense 10")).ir


def options(cases, rivals, more=()):
    """The options that the benchmarks share; `more` are rivals that run only where asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=cases.split())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rivals", default=",".join(rivals))
    parser.add_argument("--keras-python", help="an interpreter that has keras and its backends")
    parser.add_argument("--clock", choices=CLOCKS, default="wall",
                        help="cpu: processor time, for a busy machine and one thread")  # fmt: skip
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    known = (*rivals, *more)
    unknown = set(given.rivals.split(",")) - set(known)
    if unknown:
        parser.error(f"--rivals: no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return given


def run_all(arguments, work, script):
    """As a worker: `work(program, case, threads)`. Else every case, compared."""
    if arguments.work:
        step = work(arguments.work, arguments.cases[0], arguments.threads)
        report(step, CLOCKS[arguments.clock])
        return

    def command(program, case):
        keras = program.startswith("keras")
        python = arguments.keras_python if keras else sys.executable
        how = ["--threads", str(arguments.threads), "--clock", arguments.clock]
        return [python or sys.executable, script, "--work", program, *how, case]

    for case in arguments.cases:
        compare(case, ("ours", *arguments.rivals.split(",")), arguments.rounds, command)
