"""94 % on CIFAR-10: specs/cifar10_94.cnn, and the recipe that it comes from in torch.

    python benchmarks/cifar10_94.py [--batch 500] [--rounds 5] [--threads 2] [--clock wall|cpu]
    python benchmarks/cifar10_94.py --run ours|torch --data-dir DIR [--seeds 0,1,2] [--epochs 8]

The first times a step of each in turn, every program started anew. The second trains in whole, on
DIR/cifar-10-batches-bin, and prints accuracy by epoch and with test-time views.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import runs
from turns import CLOCKS, SPECS, compare, report, spec_model

NAME = "cifar10_94"
PROGRAMS = ("ours", "channels_last", "eager")


def our_step(batch, threads):
    """A step of the spec's own recipe, as `train` would cut it."""
    from dataclasses import replace

    from train_step import calibrated_step

    from cnndsl.backend.step import resolved

    model = spec_model(NAME)
    recipe = replace(resolved(model, model.recipe), batch=batch, accumulate=1)
    return calibrated_step(model, recipe, batch, threads)


def our_run(seed, given):
    """`cnndsl train` as a user runs it: prints each epoch; accuracy with views."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        rows = runs.trained(SPECS / f"{NAME}.cnn", run, data_dir=given.data_dir, seed=seed,
                            threads=given.threads, epochs=given.epochs)  # fmt: skip
        for row in rows:
            print(f"epoch {row['epoch']}: {float(row['val_accuracy']):.4f}, {row['seconds']} s")
        told = next(line for line in (run / "log.txt").open() if line.startswith("with `views"))
        print(told.strip(), flush=True)
        return float(told.partition("val_accuracy ")[2].partition(",")[0])


def whole(given):
    """Every seed in whole."""
    found = list[float]()
    for seed in given.seeds:
        if given.run == "ours":
            found.append(our_run(seed, given))
        else:
            from airbench import train

            found.append(train(given.data_dir, seed, given.threads, given.epochs))
    print(f"{given.run}: mean {np.mean(found):.4f} ({min(found):.4f}-{max(found):.4f})")


def steps(given):
    """As a worker one program; else all in turn."""

    def command(program, case):
        how = ["--threads", str(given.threads), "--clock", given.clock, "--batch", str(given.batch)]
        return [sys.executable, __file__, "--work", program, *how]

    if not given.work:
        compare(f"{NAME}:{given.batch}", PROGRAMS, given.rounds, command)
    elif given.work == "ours":
        report(our_step(given.batch, given.threads), CLOCKS[given.clock])
    else:
        from airbench import step

        report(step(given.batch, given.threads, given.work), CLOCKS[given.clock])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", choices=("ours", "torch"))
    parser.add_argument("--data-dir")
    parser.add_argument("--seeds", type=runs.seeds, default="0,1,2")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall",
                        help="cpu: processor time, for a busy machine and one thread")  # fmt: skip
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run and not given.data_dir:
        parser.error("--run needs --data-dir")
    (whole if given.run else steps)(given)


if __name__ == "__main__":
    main()
