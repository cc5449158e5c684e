"""Regions with the channels last, as Keras and ConvNeXt have them, turned to channels first.

A tensor behind `Transpose(0, 2, 3, 1)` is followed through operators that mean the same in either
order; each of them is written again with the channels first, until `Transpose(0, 3, 1, 2)`, a mean
over the image or a product behind a flatten ends the region. What cannot be followed stays.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnndsl.decompile.graph import FIRST, LAST, Array, Graph, Op
from cnndsl.decompile.repeats import resized

_TO_FIRST = {0: 0, 1: 2, 2: 3, 3: 1}  # an axis of N×H×W×C as one of N×C×H×W
_ALONE = {
    "Cast", "Clip", "Dropout", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "Identity",
    "LeakyRelu", "Mish", "Neg", "Pow", "Relu", "Selu", "Sigmoid", "Softplus", "Sqrt", "Tanh",
}  # fmt: skip
_TOGETHER = {"Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Sub", "Sum"}
_PASSED = _ALONE | _TOGETHER | {"Expand", "Pad", "Reshape", "Slice", "Tile", "Unsqueeze"}
"""Operators that may stand between an input and its transposition."""
TURNED = "/first"
"""Behind the name of a tensor, that of the same with the channels first."""
Sizes = tuple[int, int, int]
Turn = Callable[["_Turned", Op, str], Op | None]


def channels_first(graph: Graph) -> None:
    """Rewrite in place. An input that a file turns itself is taken with its channels first."""
    turned, given = _Turned(graph), graph.input
    other = f"{given}{TURNED}"
    if len(graph.shapes[given]) == 4 and _is_turned(graph):
        n, height, width, channels = graph.shapes[given]
        graph.shapes[other] = (n, channels, height, width)
        turned.first[given] = other
    makers = graph.makers
    for op in graph.ops:
        for each in resized(graph, makers, op, turned.first) or [op]:
            turned.follow(each)
    graph.ops[:] = turned.ops
    _give_first(graph, turned.first)
    graph.drop_unread()
    if given in turned.first and not any(given in op.inputs for op in graph.ops):
        graph.input = other
        size = "x".join(map(str, graph.shapes[other][1:]))
        graph.notes.append(f"the input is taken as {size}, channels first")


def _give_first(graph: Graph, first: Mapping[str, str]) -> None:
    """Outputs with the channels last are given with the channels first, under their names; what a
    file itself makes an image of is left as it is.
    """
    reshaped = {op.output for op in graph.ops if op.kind in ("Reshape", "Unsqueeze")}
    for i, name in enumerate(graph.outputs):
        if name in first.keys() - reshaped:
            graph.outputs[i] = f"{name}{TURNED}"
            size = "x".join(str(n) for n in graph.shapes.get(first[name], ())[1:])
            graph.notes.append(f"the output `{name}` is given as {size}, channels first")
            if first[name] != graph.outputs[i]:
                graph.ops.append(Op("Identity", name, (first[name],), (graph.outputs[i],), {}))


def _is_turned(graph: Graph) -> bool:
    """Whether the input meets a transposition to channels first, behind nothing but arithmetic."""
    makers = graph.makers
    for op in (op for op in graph.ops if _perm(op) == FIRST):
        x = op.inputs[0]
        while x != graph.input and x in makers and makers[x].kind in _PASSED:
            x = next((name for name in makers[x].inputs if name not in graph.constants), "")
        if x == graph.input:
            return True
    return False


def _perm(op: Op) -> Any:
    return op.attrs.get("perm") if op.kind == "Transpose" else None


class _Turned:
    """The operators so far. Each stays as it was, too: what nothing reads in the end is dropped."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.ops = graph, list[Op]()
        self.first = dict[str, str]()  # by a tensor with channels last, the one with them first
        self.flat = dict[str, tuple[str, Sizes]]()  # by such a row, the other row; its C, H, W
        self.pixels = dict[str, str]()  # by a matrix with a row for each pixel, the image

    def follow(self, op: Op) -> None:
        """Write an operator; what it reads of channels last, with the channels first."""
        x = op.inputs[0] if op.inputs else ""
        if _perm(op) == LAST:
            self.first[op.output] = x
        elif any(name in self.first for name in op.inputs):
            op = self._turned(op)
        elif x in self.flat:
            op = self._behind_row(op)
        elif x in self.pixels:
            self._behind_pixels(op, self.pixels[x])
        elif self._is_pixel(op):
            self._write(op, op.inputs)
        self.ops.append(op)

    # Behind a transposition

    def _turned(self, op: Op) -> Op:
        """The operator itself, or the one that gives the same from tensors with channels first."""
        x = self.first.get(op.inputs[0])
        if op.kind in _TOGETHER:
            self._together(op)
        elif x is None:
            pass
        elif _perm(op) == FIRST:
            return replace(op, kind="Identity", inputs=(x,), attrs={})
        elif op.kind in _ALONE:
            self._write(op, (x, *op.inputs[1:]))
        elif op.kind in _TURNS:
            return _TURNS[op.kind](self, op, x) or op
        return op

    def _write(self, op: Op, inputs: tuple[str, ...], kind: str = "", **attrs: Any) -> None:
        """The operator once more, on tensors with the channels first."""
        name = f"{op.output}{TURNED}"
        attrs = {**op.attrs, **attrs}
        self.ops.append(
            replace(op, kind=kind or op.kind, inputs=inputs, outputs=(name,), attrs=attrs)
        )
        self.first[op.output] = name
        if len(self.graph.shapes.get(op.output, ())) == 4:
            n, height, width, channels = self.graph.shapes[op.output]
            self.graph.shapes[name] = (n, channels, height, width)

    def _constant(self, op: Op, name: str, value: Array) -> str:
        """A constant made of another one for an operator."""
        made = f"{op.output}/{name}"
        self.graph.constants[made] = np.ascontiguousarray(value)
        return made

    def _together(self, op: Op) -> None:
        """Sums and products, also with a constant for each channel."""
        inputs = [self.first.get(x) or self._operand(op, x) for x in op.inputs]
        if all(inputs):
            self._write(op, tuple(str(x) for x in inputs))

    def _operand(self, op: Op, name: str) -> str | None:
        value = self.graph.constants.get(name)
        if value is None or value.size not in {1, *value.shape[-1:]}:
            return None
        return name if value.size == 1 else self._constant(op, name, value.reshape(-1, 1, 1))

    def product(self, op: Op, x: str) -> None:
        """A product over the channels of each position: a 1×1 convolution."""
        weight = self.graph.constants.get(op.inputs[1])
        if weight is not None and weight.ndim == 2:
            kernel = self._constant(op, op.inputs[1], weight.T[:, :, None, None])
            self._write(op, (x, kernel), "Conv")

    def norm(self, op: Op, x: str) -> None:
        """Layer normalisation over the channels."""
        if op.attrs.get("axis", -1) in (-1, 3):
            self._write(op, (x, *op.inputs[1:]), "ChannelNormalization")

    def along(self, op: Op, x: str) -> None:
        """An operator along one axis of all its inputs."""
        if all(name in self.first for name in op.inputs):
            axis = _TO_FIRST[op.attrs.get("axis", -1) % 4]
            self._write(op, tuple(self.first[name] for name in op.inputs), axis=axis)

    def padded(self, op: Op, x: str) -> None:
        """Borders of all four axes."""
        _, sizes, *others = (*op.inputs, "")
        pads = self.graph.constants.get(sizes)
        if pads is not None and pads.size == 8 and not any(others[1:]):
            turned = pads.reshape(2, 4)[:, FIRST].reshape(-1)
            self._write(op, (x, self._constant(op, sizes, turned), *others))

    def cut(self, op: Op, x: str) -> None:
        """A part of some axes."""
        _, starts, ends, axes, steps, *_ = (*op.inputs, "", "")
        count = self.graph.constants.get(starts, np.zeros(0)).size
        along = self.graph.constants.get(axes) if axes else np.arange(count)
        if along is not None:
            turned = np.array([_TO_FIRST[int(axis) % 4] for axis in along.reshape(-1)])
            self._write(op, (x, starts, ends, self._constant(op, "axes", turned), steps))

    def reduced(self, op: Op, x: str) -> Op | None:
        """A mean or maximum over height and width."""
        given = self.graph.constants.get(op.inputs[1]) if len(op.inputs) > 1 else None
        axes: Any = op.attrs.get("axes", () if given is None else given.reshape(-1).tolist())
        if set(np.mod(axes, 4).tolist()) != {1, 2}:
            return None
        if not op.attrs.get("keepdims", 1):
            return replace(op, inputs=(x,), attrs={**op.attrs, "axes": (2, 3)})
        self._write(op, (x,), axes=(2, 3))
        return None

    def row(self, op: Op, x: str) -> Op | None:
        """An image as a row; a product behind it has its rows moved, unless it has one position."""
        n, height, width, channels = self.graph.shapes.get(op.inputs[0], (0, 0, 0, 0))
        is_matrix = self.graph.shapes.get(op.output) == (n * height * width, channels) and n > 0
        if is_matrix and x in self.graph.shapes:
            self.pixels[op.output] = x
        if self.graph.shapes.get(op.output) != (n, height * width * channels):
            return None
        if height == width == 1:
            return Op("Flatten", op.name, (x,), op.outputs, {})
        name = f"{op.output}{TURNED}"
        self.ops.append(Op("Flatten", op.name, (x,), (name,), {}))
        self.graph.shapes[name] = self.graph.shapes[op.output]
        self.flat[op.output] = name, (channels, height, width)
        return None

    def _behind_row(self, op: Op) -> Op:
        """An operator on a row of height, width and channels."""
        given, *others = op.inputs
        x, sizes = self.flat[given]
        weight = self.graph.constants.get(others[0]) if others else None
        if op.kind in _ALONE:
            name = f"{op.output}{TURNED}"
            self.ops.append(replace(op, inputs=(x, *others), outputs=(name,)))
            self.graph.shapes[name] = self.graph.shapes[given]
            self.flat[op.output] = name, sizes
        elif op.kind in ("Gemm", "MatMul") and weight is not None and weight.ndim == 2:
            is_turned = bool(op.attrs.get("transB"))
            moved = _rows(weight.T, sizes).T if is_turned else _rows(weight, sizes)
            name = self._constant(op, others[0], moved)
            return replace(op, inputs=(x, name, *others[1:]))
        return op

    def _is_pixel(self, op: Op) -> bool:
        """Whether a vector becomes an image of one pixel."""
        before, after = (self.graph.shapes.get(x, ()) for x in (*op.inputs[:1], op.output))
        return op.kind in ("Reshape", "Unsqueeze") and after == (*before[:1], 1, 1, *before[1:2])

    def _behind_pixels(self, op: Op, image: str) -> None:
        """A product over the channels of each pixel, and the way back to an image."""
        weight = self.graph.constants.get((*op.inputs, "")[1])
        n, channels, height, width = self.graph.shapes[image]
        if op.kind == "MatMul" and weight is not None and weight.ndim == 2:
            name, kernel = f"{op.output}{TURNED}", weight.T[:, :, None, None]
            inputs = (image, self._constant(op, op.inputs[1], kernel))
            self.ops.append(Op("Conv", op.name, inputs, (name,), {}))
            self.graph.shapes[name] = (n, len(kernel), height, width)
            self.pixels[op.output] = name
        elif op.kind == "Reshape" and self._has_shape(op.output, (n, height, width, channels)):
            self.first[op.output] = image

    def _has_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        return self.graph.shapes.get(name) == shape


_TURNS: dict[str, Turn] = {
    "MatMul": _Turned.product,
    "LayerNormalization": _Turned.norm,
    "Pad": _Turned.padded,
    "Slice": _Turned.cut,
    **dict.fromkeys(("Concat", "Softmax", "LogSoftmax"), _Turned.along),
    **dict.fromkeys(("ReduceMean", "ReduceMax"), _Turned.reduced),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze"), _Turned.row),
}


def _rows(weight: Array, sizes: Sizes) -> Array:
    """Rows for height, width and channels in the order of channels, height and width."""
    channels, height, width = sizes
    table = weight.reshape(height, width, channels, -1)
    return table.transpose(2, 0, 1, 3).reshape(weight.shape)
