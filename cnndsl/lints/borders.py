"""W4…: paddings and strides that lose or invent pixels."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from cnndsl.ir import Node
from cnndsl.layers.conv import Conv, Convolution
from cnndsl.layers.pool import Pooling
from cnndsl.lints.base import Found, Subject, lint
from cnndsl.shapes import Pads, Shape, reach, show
from cnndsl.source import Fix, Span, counted
from cnndsl.syntax import ast

_LINE = 40  # characters of a statement that a help writes twice
_SHARE = 0.25  # of the picture's height or width, lost at borders


def _geometry(node: Node) -> tuple[tuple[int, int], tuple[int, int], Any]:
    """Reach of the kernel and stride, height and width, and the padding's word."""
    layer: Any = node.layer
    if isinstance(layer, Pooling):
        return layer.kernel, layer.step, layer.padding
    spans = [reach(k, d) for k, d in zip(layer.kernel, layer.dilation, strict=True)]
    return (spans[0], spans[1]), layer.stride, layer.padding


def _pads(layer: Any, x: Shape) -> Pads:
    """Explicit pads of a window on an input of this shape."""
    return layer.onnx_pads(x) if isinstance(layer, Pooling) else layer.geometry.onnx_pads(x)


def _unpadded(node: Node) -> bool:
    layer: Any = node.layer
    return layer.padding == "valid" and not any(layer.pads or ())


@lint("W401")
def border_lost(s: Subject) -> Iterator[Found]:
    """Convolutions without padding that together cut away a quarter of the picture.

    Where `valid` or `pad=` is written, it is meant.
    """
    if len(s.model.input) != 3:
        return
    lost: list[float] = []
    cuts: list[int] = []
    for i, node in enumerate(s.nodes):
        before = max((lost[x] for x in node.inputs), default=0.0)
        cut = _cut(node, s)
        lost.append(before + cut)
        cuts += [i] if cut else []
    total, height = max(lost), s.model.input[1]
    if len(cuts) < 2 or total < _SHARE * height:
        return
    first = s.nodes[cuts[0]]
    yield Found(
        f"{counted(len(cuts), 'convolution')} without padding cut {total:.0f} of the picture's "
        f"{counted(height, 'row')} off at the borders", first.span,
        "write `same` to keep the size, or `valid` where that is meant",
        tuple(f"line {s.nodes[i].line}: `{s.nodes[i].text}`" for i in cuts[1:6]),
        _all_same([s.nodes[i] for i in cuts]),
    )  # fmt: skip


def _all_same(nodes: list[Node]) -> Fix:
    """`same` behind all of the nodes in one: behind a few, the sizes would suit nobody."""
    source = nodes[0].span.source
    ends = sorted({n.span.end for n in nodes if n.span.source is source})
    parts = [source.text[a:b] for a, b in pairwise(ends)]
    text = " same".join(["", *parts, ""])
    return Fix(Span(source, ends[0], ends[-1]), text, "add `same`", safe=False)


def _cut(node: Node, s: Subject) -> float:
    """Rows of the picture that a convolution without a said padding loses."""
    said = {"padding", "pads"} & node.places.keys()
    if not isinstance(node.layer, Convolution) or said or not _unpadded(node):
        return 0.0
    (rows, _), (stride, _), _ = _geometry(node)
    return (rows - 1) * s.fields[node.inputs[0]][2] if stride == 1 else 0.0


@lint("W402")
def meant_to_shrink(s: Subject) -> Iterator[Found]:
    """`same` with a kernel as large as its input: most of it sees zeros."""
    for node in s.nodes:
        if not isinstance(node.layer, Conv) or node.layer.padding != "same":
            continue
        x, kernel = s.source_of(node).shape, node.layer.kernel
        if min(kernel) < max(5, *x[1:]):  # 3×3 on a tiny map is the usual end of a deep net
            continue
        at = node.places.get("padding", node.span)
        yield Found(
            f"kernel {show(kernel)} covers its whole {show(x[1:])} input, but `same` lets most of "
            "it see zeros", at, f"without `same` it gives {node.shape[0]}x1x1",
            fix=Fix(at, "valid", "write `valid`", safe=False) if at is not node.span else None,
        )  # fmt: skip


@lint("W403")
def lopsided(s: Subject) -> Iterator[Found]:
    """`same` with a stride on an even size, in a spec that pads as PyTorch does elsewhere."""
    windows = [n for n in s.nodes if isinstance(n.layer, Convolution | Pooling)]
    if not any(_geometry(n)[2] == "pad" for n in windows):
        return
    for node in windows:
        layer: Any = node.layer
        x = s.source_of(node).shape
        if layer.padding != "same" or not _one_sided(layer, x):
            continue
        at = node.places.get("padding", node.span)
        yield Found(
            f"`same` with a stride pads {show(x[1:])} at the bottom and right only; PyTorch pads "
            "all sides", at, "for weights from PyTorch write `pad`, as elsewhere in this spec",
            fix=Fix(at, "pad", "write `pad`", safe=False) if at is not node.span else None,
        )  # fmt: skip


def _one_sided(layer: Any, x: Shape) -> bool:
    pads = _pads(layer, x)
    odd = all(k % 2 for k in layer.kernel)
    return odd and pads[:2] != pads[2:]


@lint("W404")
def row_dropped(s: Subject) -> Iterator[Found]:
    """A stride that does not reach the last row or column."""
    for node in s.nodes:
        if not isinstance(node.layer, Convolution | Pooling):
            continue
        x = s.source_of(node).shape
        rows, columns = _unseen(node, x)
        if not rows and not columns:
            continue
        pooling = isinstance(node.layer, Pooling)
        at, word = node.span, "ceil" if pooling else "same"
        lost = (counted(rows, "row") if rows else counted(columns, "column")).removeprefix("1 ")
        yield Found(
            f"the windows end before the last {lost} of the {show(x[1:])} input", at,
            f"write `{word}` to see all of it" + (", or give an even size" if pooling else ""),
            fix=Fix(at.at_end(), f" {word}", f"add `{word}`", safe=False),
        )  # fmt: skip


def _unseen(node: Node, x: Shape) -> tuple[int, int]:
    """Rows and columns of the input behind the last window; none where windows skip by design."""
    layer: Any = node.layer
    (kh, kw), (sh, sw), _ = _geometry(node)
    pads = _pads(layer, x)
    rows = x[1] + pads[0] - ((node.shape[1] - 1) * sh + kh)
    columns = x[2] + pads[1] - ((node.shape[2] - 1) * sw + kw)
    return (rows if kh >= sh and rows > 0 else 0), (columns if kw >= sw and columns > 0 else 0)


@lint("W405")
def strides_every_time(s: Subject) -> Iterator[Found]:
    """`conv 64 3x3 /2 *3` halves three times."""
    for node in s.all(ast.Statement):
        items = (*node.items, *node.tail)
        stride = next((i for i in items if isinstance(i, ast.Stride)), None)
        repeat = next((i for i in items if isinstance(i, ast.Repeat)), None)
        if stride and repeat and stride.span.text != "/1" and repeat.span.text not in ("*0", "*1"):
            times = repeat.span.text[1:]
            yield Found(
                f"the stride `{stride.span.text}` is taken at each of the {times} turns",
                stride.span, _stride_once(node, stride, repeat),
            )  # fmt: skip


def _stride_once(node: ast.Statement, stride: ast.Stride, repeat: ast.Repeat) -> str:
    """How to stride once, in the statement's own words where they make one short line."""
    source, times = node.span.source.text, repeat.span.text[1:]
    end = repeat.span.start
    first, rest = source[node.span.start : stride.span.start], source[stride.span.end : end]
    once = f"{first}{stride.span.text}{rest}".rstrip()
    fits = node.head.id in ("conv", "dwconv") and times.isdigit() and stride.span.end <= end
    if not fits or node.label or node.group or "\n" in once or len(once) > _LINE:
        return "stride once, in a statement of its own; repeat one with `/1` behind it"
    again = f"{first.rstrip()}{rest}".rstrip()
    count = f" *{int(times) - 1}" if int(times) > 2 else ""
    return f"stride once, then repeat: `{once}; {again}{count}`"
