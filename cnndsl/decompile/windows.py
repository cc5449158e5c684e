"""Convolutions and pools: the spelling whose zeros are exactly the file's."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from cnndsl.decompile.graph import Array, Op
from cnndsl.decompile.reader import Reader, reads
from cnndsl.decompile.rearrange import sides
from cnndsl.layers.borders import ZeroPad
from cnndsl.layers.conv import Conv, DepthwiseConv
from cnndsl.layers.pool import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from cnndsl.layers.upconv import TransposedConv
from cnndsl.shapes import Pads, Pair, pads_1d, reach, window_1d

_NONE: Pads = (0, 0, 0, 0)


def _pair(op: Op, name: str, default: tuple[int, ...] = (1, 1)) -> Pair:
    values = op.attrs.get(name, default)
    if len(values) != 2 or min(values) < (name != "output_padding"):
        op.refuse(f"{name} {values} is not for images")
    return values[0], values[1]


def _pads(op: Op, size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pads:
    """Explicit pads, also of `auto_pad`."""
    auto = op.attrs.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = op.attrs.get("pads", _NONE)
        if len(pads) != 4 or min(pads) < 0:
            op.refuse(f"pads {pads} are not for images")
        return pads
    if auto == "VALID":
        return _NONE
    ends = [pads_1d("same", size[i], kernel[i], stride[i], dilation[i]) for i in range(2)]
    (top, bottom), (left, right) = [e if auto == "SAME_UPPER" else e[::-1] for e in ends]
    return top, left, bottom, right


def _spellings(layer: Any, pads: Pads) -> Iterator[Any]:
    """The layer with each way to say its padding, the most usual first."""
    yield layer
    yield replace(layer, padding="pad")
    yield replace(layer, padding="same")
    yield replace(layer, pads=pads[:2])


@reads("Conv")
def _conv(r: Reader, op: Op) -> int:
    x, shape = r.image(op)
    weight, bias = r.weight(op, 1, 4), r.array(op, 2)
    groups = op.attrs.get("group", 1)
    kernel = _pair(op, "kernel_shape", weight.shape[2:])
    stride, dilation = _pair(op, "strides"), _pair(op, "dilations")
    biased = bias is not None
    layer: Conv | DepthwiseConv
    if groups == shape[0] > 1:
        many = weight.shape[0] // groups
        layer = DepthwiseConv(
            kernel, bias=biased, stride=stride, dilation=dilation, multiplier=many
        )
    else:
        layer = Conv(
            weight.shape[0], kernel, bias=biased, stride=stride, dilation=dilation, groups=groups
        )
    pads = _pads(op, shape[1:], kernel, stride, dilation)
    found = [s for s in _spellings(layer, pads) if s.geometry.onnx_pads(shape) == pads]
    if not found:
        x = r.add(op, _zeros(pads), x)
    return r.add(op, found[0] if found else layer, x, **_tensors(weight, bias))


def _tensors(weight: Array, bias: Array | None) -> dict[str, Array]:
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


@reads("ConvTranspose")
def _upconv(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    weight, bias = r.weight(op, 1, 4), r.array(op, 2)
    stride, extra = _pair(op, "strides"), _pair(op, "output_padding", (0, 0))
    auto, groups = op.attrs.get("auto_pad", "NOTSET"), op.attrs.get("group", 1)
    if "output_shape" in op.attrs or auto not in ("NOTSET", "VALID"):
        op.refuse("output_shape and auto_pad are not read; write pads and output_padding")
    pads = op.attrs.get("pads", _NONE) if auto == "NOTSET" else _NONE
    plain = TransposedConv(
        weight.shape[1] * groups, _pair(op, "kernel_shape", weight.shape[2:]), stride=stride,
        bias=bias is not None, extra=extra, dilation=_pair(op, "dilations"), groups=groups,
    )  # fmt: skip
    candidates = [*_spellings(plain, pads), replace(plain, padding="same", extra=(0, 0))]
    found = [s for s in candidates if _cut(s) == (pads, extra)]
    if not found:
        op.refuse(f"pads {pads} with output_padding {extra} have no spelling in `upconv`")
    return r.add(op, found[0], x, **_tensors(weight, bias))


def _cut(layer: TransposedConv) -> tuple[Pads, Pair]:
    ((top, bottom), below), ((left, right), beside) = layer.axis(0), layer.axis(1)
    return (top, left, bottom, right), (below, beside)


@reads("MaxPool", "AveragePool")
def _pool(r: Reader, op: Op) -> int:
    """Zeros that count and zeros that do not are told apart; overhang of `ceil` never counts."""
    x, shape = r.image(op)
    dilation = _pair(op, "dilations")
    if any(op.outputs[1:]) or (op.kind == "AveragePool" and dilation != (1, 1)):
        op.refuse("`pool` gives no indices, and `avgpool` has no dilation")
    kernel, stride = _pair(op, "kernel_shape"), _pair(op, "strides")
    pads = _plus(_pads(op, shape[1:], kernel, stride, dilation), op.attrs.get("open", _NONE))
    before, past = op.attrs.get("counted", _NONE), _NONE
    padded = (shape[1] + before[0] + before[2], shape[2] + before[1] + before[3])
    if op.attrs.get("ceil_mode", 0):
        spans = reach(kernel[0], dilation[0]), reach(kernel[1], dilation[1])
        past = _overhang(padded, spans, stride, pads)
    included = bool(op.attrs.get("count_include_pad", 0))
    counted, free = (_plus(before, pads), past) if included else (before, _plus(pads, past))
    layer: MaxPool | AveragePool | GlobalMaxPool | GlobalAveragePool | None
    layer = _spelt(op, shape, counted, free)
    if layer is None and any(counted):
        x = r.add(op, _zeros(counted), x)
        layer = _spelt(op, r.image_at(x), _NONE, free)
    if layer is None and not any(counted) and _is_over_all(op, shape, pads):
        layer = GlobalMaxPool() if op.kind == "MaxPool" else GlobalAveragePool()
    if layer is None:
        op.refuse(f"pads {free} have no spelling in `pool` and `avgpool`")
    return r.add(op, layer, x)


def _is_over_all(op: Op, shape: tuple[int, int, int], pads: Pads) -> bool:
    """Whether a window has one place, with all of the image in it."""
    kernel = _pair(op, "kernel_shape")
    spans = zip(kernel, shape[1:], pads[:2], pads[2:], strict=True)
    return _pair(op, "dilations") == (1, 1) and all(
        top + size <= reach <= top + size + bottom for reach, size, top, bottom in spans
    )


def _spelt(
    op: Op, shape: tuple[int, int, int], counted: Pads, free: Pads
) -> MaxPool | AveragePool | None:
    """The pool with exactly these zeros that count in a mean, and these that do not."""
    kernel, stride = _pair(op, "kernel_shape"), _pair(op, "strides")
    given: dict[str, Any] = {"kernel": kernel, "stride": None if stride == kernel else stride}
    kinds: list[Any] = [MaxPool(**given, dilation=_pair(op, "dilations"))]
    if op.kind == "AveragePool":
        kinds = [AveragePool(**given), AveragePool(**given, counting=False)]
    rounded = [replace(kind, rounding="ceil") for kind in kinds]
    for plain in [*rounded, *kinds] if op.attrs.get("ceil_mode", 0) else [*kinds, *rounded]:
        for each in _spellings(plain, counted if any(counted) else free):
            if _zeros_of(each, shape) == (counted, free):
                return each
    return None


def _overhang(size: Pair, kernel: Pair, stride: Pair, pads: Pads) -> Pads:
    ends = list[int]()
    for i in range(2):
        around = (pads[i], pads[i + 2])
        count = window_1d(size[i], kernel[i], stride[i], around, ceil=True)
        ends.append(max(0, (count - 1) * stride[i] + kernel[i] - size[i] - sum(around)))
    return 0, 0, ends[0], ends[1]


def _plus(a: Pads, b: Pads) -> Pads:
    return cast("Pads", tuple(m + n for m, n in zip(a, b, strict=True)))


def _zeros_of(layer: MaxPool | AveragePool, shape: tuple[int, int, int]) -> tuple[Pads, Pads]:
    pads, past = layer.onnx_pads(shape), layer.overhang(shape)
    if isinstance(layer, AveragePool) and layer.counting:
        return pads, past
    return _NONE, _plus(pads, past)


def _zeros(pads: Pads) -> ZeroPad:
    return ZeroPad(*sides(pads))
