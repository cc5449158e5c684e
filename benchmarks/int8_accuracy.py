"""Runs in int8: the metric on their test images, before and after, for each way of calibration.

    cnndsl train specs/resnet8.cnn --epochs 4 --out resnet8
    python benchmarks/int8_accuracy.py resnet8

`cnndsl compile RUN --int8` takes the way that is best on validation images; this shows them all.
"""

import sys
from pathlib import Path

from cnndsl.quantize.calibrate import METHODS, batches, ranges
from cnndsl.quantize.graph import prepared
from cnndsl.quantize.judge import Judge
from cnndsl.quantize.qdq import Scheme, quantised
from cnndsl.runtime.foreign import load_checked
from cnndsl.runtime.predict import open_predictor
from cnndsl.training.int8 import Wanted, run_images


def row(run):
    """The metric of the float32 model, then that of each method, per channel and per tensor."""
    graph = load_checked(run / "weights" / "best.onnx")
    images = run_images(run, graph, Wanted())
    judge, source = Judge(images.task, images.names), prepared(graph, str(run))
    predictor = open_predictor(source, "cpu")
    found = [judge.metric(source, images.test)]
    for method in METHODS:
        measured = ranges(source, method, batches(source, predictor, images.calibration))
        for per_channel in (True, False):
            made = quantised(source, measured, Scheme(method, per_channel))
            found.append(judge.metric(made, images.test))
    return images.task.measure, found


if __name__ == "__main__":
    ways = [f"{method} {part}" for method in METHODS for part in ("channel", "tensor")]
    print(" | ".join(["run", "metric", "float32", *ways]))
    for name in sys.argv[1:]:
        metric, numbers = row(Path(name))
        print(" | ".join([name, metric, *(f"{number:.4f}" for number in numbers)]), flush=True)
