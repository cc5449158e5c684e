"""Output shapes and types of every ONNX operator that may stand on a tape.

One entry per operator (or family). Dimensions are ints, or "N" for a batch that is not known.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from cnndsl.shapes import transposed_1d, window_1d

if TYPE_CHECKING:
    from cnndsl.graph.tape import Tape, Value

Dims = tuple[int | str, ...]
Result = tuple[Dims, str]
Inputs = Sequence["Value | None"]
Rule = Callable[["Tape", Any, dict[str, Any], int], list[Result]]

RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the shape rule of one or more operators."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def infer(tape: "Tape", op: str, inputs: Inputs, attrs: dict[str, Any], n: int) -> list[Result]:
    """Shapes and types of the `n` outputs of an operator; KeyError for an unknown one."""
    return RULES[op](tape, inputs, attrs, n)


def broadcast(*shapes: Dims) -> Dims:
    """Numpy's broadcasting; ValueError where the shapes do not agree."""
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(s)) + s for s in shapes), strict=True)
    return tuple(_common(column) for column in columns)


def _common(dims: Dims) -> int | str:
    wide = {d for d in dims if d != 1}
    if len(wide) > 1:
        raise ValueError(f"dimensions {sorted(map(str, wide))} do not broadcast")
    return wide.pop() if wide else 1


def _known(tape: "Tape", value: "Value") -> list[int]:
    return [int(i) for i in tape.consts[value].reshape(-1)]


@rule(
    "Relu", "Sigmoid", "Tanh", "Exp", "Log", "Neg", "Abs", "Sqrt", "Reciprocal", "Erf", "Softplus",
    "HardSigmoid", "Elu", "Selu", "LeakyRelu", "Softmax", "LogSoftmax", "Identity", "Clip", "LRN",
    "InstanceNormalization", "LayerNormalization", "PRelu", "Floor", "Sign", "StopGradient",
)  # fmt: skip
def _like_first(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(xs[0].shape, xs[0].dtype)]


@rule("Add", "Sub", "Mul", "Div", "Pow", "Sum", "Max", "Min")
def _elementwise(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(broadcast(*(x.shape for x in xs)), xs[0].dtype)]


@rule("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or")
def _comparison(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(broadcast(*(x.shape for x in xs)), "bool")]


@rule("Not", "IsNaN", "IsInf")
def _predicate(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(xs[0].shape, "bool")]


@rule("Where")
def _where(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(broadcast(*(x.shape for x in xs)), xs[1].dtype)]


@rule("Cast")
def _cast(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(xs[0].shape, attrs["to"])]


@rule("Reshape")
def _reshape(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    old, wanted = xs[0].shape, _known(tape, xs[1])
    new = [old[i] if d == 0 else d for i, d in enumerate(wanted)]
    if -1 in new:
        kept = [d for d in new if isinstance(d, int) and d != -1]
        names = [d for d in old if isinstance(d, str) and d not in new]
        rest = prod(d for d in old if isinstance(d, int)) // prod(kept)
        new[new.index(-1)] = names[0] if names and rest == 1 else rest
    return [(tuple(new), xs[0].dtype)]


@rule("Transpose")
def _transpose(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(tuple(xs[0].shape[i] for i in attrs["perm"]), xs[0].dtype)]


@rule("Flatten")
def _flatten(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [((xs[0].shape[0], prod(xs[0].shape[1:])), xs[0].dtype)]


@rule("Concat")
def _concat(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    shape, axis = list(xs[0].shape), attrs["axis"]
    shape[axis] = sum(x.shape[axis] for x in xs)
    return [(tuple(shape), xs[0].dtype)]


@rule("Split")
def _split(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    shape, axis = xs[0].shape, attrs["axis"]
    return [
        ((*shape[:axis], size, *shape[axis + 1 :]), xs[0].dtype) for size in _known(tape, xs[1])
    ]


@rule("Gather")
def _gather(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    shape, axis = xs[0].shape, attrs.get("axis", 0)
    return [((*shape[:axis], *xs[1].shape, *shape[axis + 1 :]), xs[0].dtype)]


@rule("Slice")
def _slice(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    shape = list(xs[0].shape)
    starts, ends, axes = (_known(tape, x) for x in xs[1:4])
    steps = _known(tape, xs[4]) if len(xs) > 4 else [1] * len(axes)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        shape[axis] = len(range(int(shape[axis]))[slice(start, end, step)])
    return [(tuple(shape), xs[0].dtype)]


@rule("Pad")
def _pad(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    pads, rank = _known(tape, xs[1]), len(xs[0].shape)
    grown = ((d, pads[i] + pads[i + rank]) for i, d in enumerate(xs[0].shape))
    return [(tuple(d + more if more else d for d, more in grown), xs[0].dtype)]


@rule("Expand")
def _expand(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(broadcast(xs[0].shape, tuple(_known(tape, xs[1]))), xs[0].dtype)]


@rule("Unsqueeze")
def _unsqueeze(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    shape = list(xs[0].shape)
    for axis in sorted(_known(tape, xs[1])):
        shape.insert(axis, 1)
    return [(tuple(shape), xs[0].dtype)]


@rule("Squeeze")
def _squeeze(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    axes = _known(tape, xs[1])
    return [(tuple(d for i, d in enumerate(xs[0].shape) if i not in axes), xs[0].dtype)]


@rule("ReduceSum", "ReduceMean", "ReduceMax", "ReduceSumSquare")
def _reduce(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    shape = xs[0].shape
    axes = _known(tape, xs[1]) if len(xs) > 1 else attrs.get("axes", range(len(shape)))
    axes = {axis % len(shape) for axis in axes}
    if attrs.get("keepdims", 1):
        return [(tuple(1 if i in axes else d for i, d in enumerate(shape)), xs[0].dtype)]
    return [(tuple(d for i, d in enumerate(shape) if i not in axes), xs[0].dtype)]


@rule("ArgMax")
def _argmax(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    axis, shape = attrs["axis"] % len(xs[0].shape), xs[0].shape
    middle = (1,) if attrs.get("keepdims", 1) else ()
    return [((*shape[:axis], *middle, *shape[axis + 1 :]), "int64")]


@rule("OneHot")
def _one_hot(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [((*xs[0].shape, _known(tape, xs[1])[0]), xs[2].dtype)]


@rule("MatMul")
def _matmul(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    a, b = xs[0].shape, xs[1].shape
    if a[-1] != b[-2]:
        raise ValueError(f"MatMul of {a} and {b}")
    return [((*broadcast(a[:-2], b[:-2]), a[-2], b[-1]), xs[0].dtype)]


@rule("Gemm")
def _gemm(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    a, b = xs[0].shape, xs[1].shape
    a = a[::-1] if attrs.get("transA") else a
    b = b[::-1] if attrs.get("transB") else b
    if a[1] != b[0]:
        raise ValueError(f"Gemm of {a} and {b}")
    return [((a[0], b[1]), xs[0].dtype)]


def _windows(shape: Dims, kernel: Sequence[int], attrs: dict[str, Any]) -> tuple[int, ...]:
    pads, dilations = attrs["pads"], attrs.get("dilations", (1, 1))
    half, ceil = len(pads) // 2, bool(attrs.get("ceil_mode", 0))
    return tuple(
        window_1d(int(d), k, s, (pads[i], pads[i + half]), dilations[i], ceil)
        for i, (d, k, s) in enumerate(zip(shape[2:], kernel, attrs["strides"], strict=True))
    )


@rule("Conv")
def _conv(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    x, w = xs[0].shape, xs[1].shape
    return [((x[0], w[0], *_windows(x, w[2:], attrs)), xs[0].dtype)]


@rule("MaxPool", "AveragePool")
def _pool(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    x = xs[0].shape
    return [((*x[:2], *_windows(x, attrs["kernel_shape"], attrs)), xs[0].dtype)]


@rule("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [((*xs[0].shape[:2], 1, 1), xs[0].dtype)]


@rule("ConvTranspose")
def _conv_transpose(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    x, w, pads = xs[0].shape, xs[1].shape, attrs["pads"]
    extra, dilations = attrs.get("output_padding", (0, 0)), attrs.get("dilations", (1, 1))
    sizes = tuple(
        transposed_1d(x[i + 2], w[i + 2], attrs["strides"][i], (pads[i], pads[i + 2]),
                      dilations[i], extra[i])
        for i in range(2)
    )  # fmt: skip
    return [((x[0], w[1] * attrs.get("group", 1), *sizes), xs[0].dtype)]


@rule("BatchNormalization")
def _batch_norm(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    return [(xs[0].shape, xs[0].dtype), *((xs[1].shape, xs[1].dtype) for _ in range(n - 1))]


@rule("Resize")
def _resize(tape: "Tape", xs: Any, attrs: dict[str, Any], n: int) -> list[Result]:
    scales = [float(s) for s in tape.consts[xs[2]]]
    shape = xs[0].shape[:2] + tuple(
        int(d * s) for d, s in zip(xs[0].shape[2:], scales[2:], strict=True)
    )
    return [(shape, xs[0].dtype)]
