"""int8 against float32 at inference, batch 1: milliseconds, each in processes of its own, in turn.

    python benchmarks/int8.py --threads 1 --clock cpu --rounds 3

Weights are fresh and images random: this is about time; `cnndsl compile --int8` measures accuracy.
"""

import numpy as np
import turns

import cnndsl
from cnndsl.quantize.calibrate import ranges
from cnndsl.quantize.graph import prepared
from cnndsl.quantize.qdq import Scheme, quantised
from cnndsl.runtime.instructions import instructions
from cnndsl.runtime.session import open_session

CASES = "resnet18 mobilenet_v2 resnet18_cifar resnet8 unet"


def work(program, case, threads):
    """A run of the program's model on one image."""
    model = cnndsl.load(turns.SPECS / f"{case}.cnn")
    graph = model.to_onnx(batch=1)
    x = np.random.default_rng(0).random((1, *model.input), np.float32)
    if program == "ours":
        source = prepared(graph, case)
        graph = quantised(source, ranges(source, "minmax", [x]), Scheme("minmax", True))
    session = open_session(graph.SerializeToString(), "cpu", threads)
    return lambda: session.run(None, {"input": x})


if __name__ == "__main__":
    arguments = turns.options(CASES, ("float32",))
    if not arguments.work:
        print("int8 is `ours`; this CPU has", " ".join(instructions()) or "unknown instructions")
    turns.run_all(arguments, work, __file__)
