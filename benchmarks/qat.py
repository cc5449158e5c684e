"""Accuracy that int8 costs on the real CIFAR-10: trained for it, and calibrated, seed by seed.

    python benchmarks/qat.py --data-dir DIR [CASE …] [--seeds 0,1,2] [--threads 1]
        [--images 50000 --test-images 10000 --epochs 30 --more 5]

DIR holds cifar-10-batches-bin. Of each seed there is a run in float32, by the spec's own recipe but
for its epochs and without moving means of weights. Its best weights are quantised after training
(`compile --int8`), and a run with `quantize int8` goes on from them. Drops are those of the test
images, in points, against the very float32 run. As elsewhere in CIFAR-10's results, the best epoch
is that of the test images.
"""

import json
import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import process_time

import numpy as np
import onnx
import runs
from turns import SPECS

import cnndsl
from cnndsl.data.dataset import Split
from cnndsl.data.registry import open_dataset
from cnndsl.quantize.images import images_of
from cnndsl.quantize.int8 import Int8Options, to_int8
from cnndsl.tasks import usual

GOES_ON = {"optimizer": "adam lr=3e-4", "schedule": "cosine", "quantize": "int8"}


@dataclass(frozen=True)
class Case:
    """Images of the training and of the test part, and epochs in float32 and in int8."""

    images: int
    test_images: int
    epochs: int
    more: int


CASES = {
    "resnet8": Case(10_000, 4_000, 8, 3),
    "mobilenet_v2_cifar": Case(2_500, 2_000, 4, 2),
}


def of_cifar(case, data_dir):
    """The first images of both parts."""
    data = open_dataset("cifar10", (3, 32, 32), data_dir)
    parts = (data.train, case.images), (data.test, case.test_images)
    train, test = (Split(part.x[:count], part.y[:count]) for part, count in parts)
    return replace(data, train=train, test=test)


def int8_run(name, case, data, folder, seed, threads):
    """Accuracies: float32, calibrated, trained; and processor seconds of an epoch in both."""
    model = cnndsl.load(SPECS / f"{name}.cnn")
    arrays = (data.train.x, data.train.y, data.test.x, data.test.y)
    how = {"seed": seed, "threads": threads, "progress": "none", "device": "cpu", "ema": None}
    start = process_time()
    cnndsl.train(model, arrays, out=folder / "float", epochs=case.epochs, **how)
    middle = process_time()
    best = folder / "float" / "weights" / "best.safetensors"
    cnndsl.train(model, arrays, out=folder / "int8", epochs=case.more, weights=str(best), **GOES_ON,
                 **how)  # fmt: skip
    seconds = (middle - start) / case.epochs, (process_time() - middle) / case.more
    images = images_of(data, usual(), 512)
    exact = onnx.load(best.with_suffix(".onnx"))
    after = to_int8(exact, "best.onnx", images, Int8Options(100), lambda told: None).proof
    trained = onnx.load(folder / "int8" / "weights" / "best.int8.onnx")
    proof = json.loads({e.key: e.value for e in trained.metadata_props}["cnndsl_int8"])
    return (after.before, after.after, proof["after"]), seconds


def main():
    parser = runs.options(CASES, threads=1)
    for size in fields(Case):
        parser.add_argument(f"--{size.name.replace('_', '-')}", type=int)
    arguments = parser.parse_args()
    sizes = {f.name for f in fields(Case)}
    given = {n: v for n, v in vars(arguments).items() if n in sizes and v is not None}
    for name in arguments.cases:
        case, found = replace(CASES[name], **given), []
        data = of_cifar(case, Path(arguments.data_dir))
        print(f"{name}: {case}", flush=True)
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as folder:
                accuracies, seconds = int8_run(
                    name, case, data, Path(folder), seed, arguments.threads
                )
            found.append(accuracies)
            shown = "  ".join(f"{a:.4f}" for a in accuracies)
            print(f"  seed {seed}: float32, calibrated, trained {shown}; processor seconds an "
                  f"epoch {seconds[0]:.1f}, in int8 {seconds[1]:.1f}", flush=True)  # fmt: skip
        drops = 100 * (np.array(found)[:, :1] - np.array(found)[:, 1:])
        for way, each in zip(("calibrated", "trained"), drops.T, strict=True):
            print(f"  {way}: drop {each.mean():+.2f} points, at most {each.max():+.2f}", flush=True)


if __name__ == "__main__":
    main()
