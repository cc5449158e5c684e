"""ONNX's reference evaluator, with float64 operators where its own fall short."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch.nn.functional import conv_transpose2d, pad

from cnndsl.graph.export import export
from cnndsl.graph.passes.drop_stops import drop_stops
from cnndsl.graph.tape import Tape

Array = NDArray[Any]
OPSET = 18


class Erf(OpRun):
    """ONNX's reference computes it in float32."""

    op_domain = ""

    def _run(self, x: Array) -> tuple[Array]:
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


class ConvTranspose(OpRun):
    """ONNX's reference fails for more than one output per group."""

    op_domain = ""

    def _run(self, x: Array, w: Array, b: Array | None = None, **attrs: Any) -> tuple[Array]:
        tensors = [None if a is None else torch.from_numpy(np.array(a)) for a in (x, w, b)]
        how = {"stride": attrs["strides"], "dilation": attrs["dilations"] or 1}
        full = conv_transpose2d(*tensors, groups=attrs["group"] or 1, **how)
        (down, right), pads = attrs["output_padding"] or (0, 0), attrs["pads"]
        bias = 0.0 if b is None else tensors[2].reshape(-1, 1, 1)
        full = pad(full - bias, (0, right, 0, down)) + bias
        (h, w_), (top, left, bottom, last) = full.shape[2:], pads
        return (full[:, :, top : h - bottom, left : w_ - last].numpy(),)


class MeanOverRanks(OpRun):
    """Of one rank."""

    op_domain = ""

    def _run(self, x: Array) -> tuple[Array]:
        return (x.copy(),)


class LRN(OpRun):
    """ONNX's reference goes over as many channels as the batch has samples."""

    op_domain = ""

    def _run(self, x: Array, **attrs: Any) -> tuple[Array]:
        size, channels = attrs["size"], x.shape[1]
        before = (size - 1) // 2
        squares = np.pad(x**2, ((0, 0), (before, size - 1 - before), (0, 0), (0, 0)))
        sums = sum(squares[:, i : i + channels] for i in range(size))
        return (x / (attrs["bias"] + attrs["alpha"] / size * sums) ** attrs["beta"],)


def evaluate(tape: Tape, feed: dict[str, Array]) -> dict[str, Array]:
    """Every output of a tape by its name."""
    found = ReferenceEvaluator(
        export(drop_stops(tape), "test", OPSET), new_ops=[Erf, ConvTranspose, LRN, MeanOverRanks]
    )
    names = list(tape.outputs)
    return dict(zip(names, found.run(names, feed), strict=True))
