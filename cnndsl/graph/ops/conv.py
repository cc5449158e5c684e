"""Convolutions, there and back."""

from cnndsl.graph.ops.base import NARROW, Call, define
from cnndsl.graph.ops.grad import Expr, Grad
from cnndsl.graph.ops.pool import windows
from cnndsl.graph.value import Dims
from cnndsl.shapes import transposed_1d


def _conv(call: Call) -> list[Dims]:
    x, w = call.shape(0), call.shape(1)
    return [(x[0], w[0], *windows(x, w[2:], call.attrs))]


def _conv_transpose(call: Call) -> list[Dims]:
    x, w, a = call.shape(0), call.shape(1), call.attrs
    pads, dilations = a["pads"], a.get("dilations", (1, 1))
    extra = a.get("output_padding", (0, 0))
    sizes = tuple(
        transposed_1d(int(x[i + 2]), int(w[i + 2]), a["strides"][i], (pads[i], pads[i + 2]),
                      dilations[i], extra[i])
        for i in range(2)
    )  # fmt: skip
    return [(x[0], int(w[1]) * a.get("group", 1), *sizes)]


def _conv_x(g: Grad) -> Expr:
    """dx = dy ∗ᵀ w."""
    strides, pads, dilations = g.attr("strides"), g.attr("pads"), g.attr("dilations", (1, 1))
    x, w = g.x.shape, g.b.shape
    extra = tuple(
        int(x[i + 2])
        - ((int(g.dy.shape[i + 2]) - 1) * strides[i] - pads[i] - pads[i + 2])
        - ((int(w[i + 2]) - 1) * dilations[i] + 1)
        for i in range(2)
    )
    return g.dy.op(
        "ConvTranspose", g.b, kernel_shape=w[2:], strides=strides, pads=pads,
        dilations=dilations, group=g.attr("group", 1), output_padding=extra,
    )  # fmt: skip


def _conv_transpose_x(g: Grad) -> Expr:
    """dx = dy ∗ w."""
    attrs = {name: g.attr(name) for name in ("kernel_shape", "strides", "pads")}
    dilations = g.attr("dilations", (1, 1))
    return g.dy.op("Conv", g.b, dilations=dilations, group=g.attr("group", 1), **attrs)


def _weight_gradient(g: Grad, x: Expr, dy: Expr) -> Expr:
    """dw[o,c,u,v] = Σ_n,i,j dy[n,o,i,j] · x[n, c, i·s+u·d, j·s+v·d].

    One Conv with the batch as channels: the strides become dilations and the other way round.
    """
    groups = g.attr("group", 1)
    n, c, h, w = (int(d) for d in x.shape)
    split = x.reshape(n, groups, c // groups, h * w)
    moved = split.op("Transpose", perm=(2, 1, 0, 3))
    images = moved.reshape(c // groups, groups * n, h, w)
    kernels = dy.op("Transpose", perm=(1, 0, 2, 3))
    full = images.op(
        "Conv", kernels, kernel_shape=kernels.shape[2:], pads=g.attr("pads"), group=groups,
        strides=g.attr("dilations", (1, 1)), dilations=g.attr("strides"),
    )  # fmt: skip
    kernel = tuple(int(d) for d in g.input.shape[2:])
    if full.shape[2:] != kernel:
        full = full.op("Slice", g.tape.ints([0, 0]), g.tape.ints(kernel), g.tape.ints([2, 3]))
    return full.op("Transpose", perm=(1, 0, 2, 3))


def _bias(g: Grad) -> Expr:
    """db = Σ_n,i,j dy."""
    return g.dy.sum(0, 2, 3, keepdims=0)


define("Conv", _conv, NARROW,
       _conv_x, lambda g: _weight_gradient(g, g.x, g.dy), _bias)  # fmt: skip
define("ConvTranspose", _conv_transpose, NARROW,
       _conv_transpose_x, lambda g: _weight_gradient(g, g.dy, g.x), _bias)  # fmt: skip
