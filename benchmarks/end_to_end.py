"""`cnndsl train` against Keras's `fit`, whole processes in turn: the tutorial's network and recipe.

    python benchmarks/end_to_end.py --data-dir DIR --keras-python PYTHON [--epochs 2] [--rounds 3]

DIR holds cifar-10-batches-bin; PYTHON is an interpreter that has keras and tensorflow (or jax,
with KERAS_BACKEND=jax). Prints seconds of the whole process, start-up and validation included, and
of the last epoch's training steps.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import runs
from rivals import keras_fit
from turns import SPECS

RECIPE = "train { data cifar10; batch 32; loss cross_entropy; optimizer adam lr=1e-3; seed 0 }"


def ours(arguments):
    with tempfile.TemporaryDirectory() as folder:
        run, spec = Path(folder) / "run", Path(folder) / "tutorial.cnn"
        text = (SPECS / "cifar10.cnn").read_text()
        spec.write_text(text.rpartition("\ntrain {")[0] + f"\n{RECIPE}\n")
        row = runs.trained(spec, run, data_dir=arguments.data_dir, epochs=arguments.epochs,
                           threads=arguments.threads)[-1]  # fmt: skip
        return {"epoch": float(row["seconds"]), "accuracy": float(row["val_accuracy"])}


def keras(arguments):
    done = subprocess.run(
        [arguments.keras_python, __file__, "--work", "--threads", str(arguments.threads),
         "--epochs", str(arguments.epochs), "--data-dir", arguments.data_dir],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--keras-python")
    parser.add_argument("--work", action="store_true", help="be the Keras process")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.work:
        fit = keras_fit(arguments.threads, arguments.epochs, arguments.data_dir)
        print(json.dumps(fit))
        return
    if not arguments.keras_python:
        parser.error("--keras-python is missing: an interpreter that has keras and its backend")
    rows = {"ours": [], "keras": []}
    for _ in range(arguments.rounds):
        for name, run in (("ours", ours), ("keras", keras)):
            start = perf_counter()
            result = run(arguments)
            rows[name].append({**result, "process": perf_counter() - start})
            print(name, rows[name][-1], flush=True)
    for what in ("process", "epoch"):
        a, b = ([r[what] for r in rows[name]] for name in ("keras", "ours"))
        ratios = sorted(x / y for x, y in zip(a, b, strict=True))
        print(f"{what}: keras {np.median(a):.1f} s, ours {np.median(b):.1f} s, ratio of medians "
              f"{np.median(a) / np.median(b):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
