"""Test accuracy on the real CIFAR-10, by `cnndsl train` as a user runs it, seed by seed.

    python benchmarks/accuracy.py --data-dir DIR [CASE …] [--seeds 0,1,2] [--threads 2]

DIR holds cifar-10-batches-bin. A case is a spec and its own recipe, or the tutorial's recipe; `bar`
is what the case has to reach: the figure that the tutorial prints, MLPerf Tiny's for ResNet-8.
Prints the last epoch's accuracy (what Keras's `fit` would print) and the best epoch's (what
`best.onnx` holds).
"""

import tempfile
from pathlib import Path

import numpy as np
import runs
from turns import SPECS

TUTORIAL = "train { data cifar10; batch 32; epochs 10; loss cross_entropy; optimizer adam lr=1e-3 }"
CASES = {  # name: spec, its recipe (None: the spec's own), bar
    "tutorial": ("cifar10", TUTORIAL, 0.719),
    "cifar10": ("cifar10", None, 0.795),
    "resnet8": ("resnet8", None, 0.85),
}


def accuracies(case, seed, data_dir, threads):
    """Validation accuracy epoch by epoch."""
    spec, recipe, _ = CASES[case]
    text = (SPECS / f"{spec}.cnn").read_text()
    if recipe:
        text = text.rpartition("\ntrain {")[0] + f"\n{recipe}\n"
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / f"{spec}.cnn", Path(folder) / "run"
        file.write_text(text)
        rows = runs.trained(file, out, data_dir=data_dir, seed=seed, threads=threads)
        return [float(row["val_accuracy"]) for row in rows]


def main():
    arguments = runs.options(CASES, threads=2).parse_args()
    for case in arguments.cases:
        last, best = [], []
        for seed in arguments.seeds:
            found = accuracies(case, seed, arguments.data_dir, arguments.threads)
            last.append(found[-1])
            best.append(max(found))
            print(f"{case} seed {seed}: {len(found)} epochs, last {last[-1]:.4f}, "
                  f"best {best[-1]:.4f}", flush=True)  # fmt: skip
        print(f"{case}: mean of last {np.mean(last):.4f}, of best {np.mean(best):.4f} "
              f"({min(best):.4f}-{max(best):.4f}), bar {CASES[case][2]}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
