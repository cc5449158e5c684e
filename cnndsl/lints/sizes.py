"""W5…: layers that cost more than what they do needs."""

from collections.abc import Iterator
from math import ceil, prod

from cnndsl.ir import Node
from cnndsl.layers.conv import Conv, Convolution
from cnndsl.layers.dense import Dense, Flatten
from cnndsl.layers.dropout import Dropout
from cnndsl.layers.pool import GlobalPooling
from cnndsl.lints.base import Found, Subject, lint
from cnndsl.shapes import show
from cnndsl.source import counted

_VALUES = 8_000_000  # of one activation a sample: 32 MB in float32, 1 GB in a batch of 32
_WEIGHTS = 1_000_000
_DEEP = 4  # convolutions: shorter nets are sketches, whose heads are not meant to see much


@lint("W501")
def large_activation(s: Subject) -> Iterator[Found]:
    """One activation that dominates memory: the largest, where it is far above what is usual."""
    convolutions = [n for n in s.nodes if isinstance(n.layer, Convolution)]
    largest = max(convolutions, key=lambda n: prod(n.shape), default=None)
    if largest is None or prod(largest.shape) < _VALUES:
        return
    size = prod(largest.shape)
    yield Found(
        f"this activation of {show(largest.shape)} holds {size / 1e6:.1f} million values a sample: "
        f"{size * 4 * 32 / 2**30:.1f} GiB for a batch of 32", largest.span,
        f"a stride of 2 (`/2`), or `pool 2` before it, leaves a quarter: {size / 4e6:.1f} million",
    )  # fmt: skip


@lint("W502")
def large_dense(s: Subject) -> Iterator[Found]:
    """A dense layer on a flattened map that holds most of all parameters."""
    for node in s.nodes:
        if not isinstance(node.layer, Dense) or node.size < max(_WEIGHTS, s.model.params / 2):
            continue
        image = _flattened(s, node)
        if image is None:
            continue
        saved = node.size * (1 - image[0] / prod(image))
        yield Found(
            f"this `dense` holds {node.size / s.model.params:.0%} of all parameters: "
            f"{node.size:,} of {s.model.params:,}", node.span,
            f"`gap` in place of `flatten` gives it {counted(image[0], 'feature')} instead of "
            f"{prod(image):,} and saves {saved:,.0f} parameters",
        )  # fmt: skip


def _flattened(s: Subject, node: Node) -> tuple[int, ...] | None:
    """The image that a vector was flattened from."""
    at = s.source_of(node)
    while isinstance(at.layer, Dropout):
        at = s.source_of(at)
    if not isinstance(at.layer, Flatten):
        return None
    image = s.source_of(at).shape
    return image if len(image) == 3 and prod(image[1:]) > 1 else None


@lint("W503")
def large_kernel(s: Subject) -> Iterator[Found]:
    """5×5 or 7×7 where a stack of 3×3 sees the same with fewer parameters."""
    for node in s.nodes:
        layer = node.layer
        if not isinstance(layer, Conv) or layer.kernel not in ((5, 5), (7, 7)):
            continue
        plain = layer.stride == (1, 1) == layer.dilation and layer.groups == 1
        if not plain or not s.source_of(node).inputs:  # the first layer may look far
            continue
        count = (layer.kernel[0] - 1) // 2
        before, filters = s.source_of(node).shape[0], layer.filters
        stack = 9 * filters * (before + (count - 1) * filters)
        own = layer.kernel[0] ** 2 * filters * before
        if stack < own:
            yield Found(
                f"{count} `conv {filters} 3x3` see the same {show(layer.kernel)} with "
                f"{own - stack:,} fewer weights", node.places.get("kernel", node.span),
                f"{stack:,} instead of {own:,}, and {count - 1} more non-linearit"
                f"{'ies' if count > 2 else 'y'} (Simonyan & Zisserman 2014, arXiv:1409.1556)",
            )  # fmt: skip


@lint("W504")
def short_sighted(s: Subject) -> Iterator[Found]:
    """A head that averages over positions which each see less than half of the picture."""
    deep = sum(isinstance(n.layer, Convolution) for n in s.nodes) >= _DEEP
    if len(s.model.input) != 3 or not deep:
        return
    for i, node in enumerate(s.nodes):
        if not isinstance(node.layer, GlobalPooling) or not _is_head(s, i):
            continue
        whole = s.model.input[1:]
        seen = tuple(ceil(f) for f in s.fields[node.inputs[0]][:2])
        if any(2 * a < b for a, b in zip(seen, whole, strict=True)):
            yield Found(
                f"each position that `{node.layer.word}` averages sees {show(seen)} of the "
                f"{show(whole)} picture: no feature is larger than that", node.span,
                "pool or stride earlier, add convolutions, or dilate them: `dilation=2`",
            )  # fmt: skip


def _is_head(s: Subject, at: int) -> bool:
    """Whether a node stands on the way to every output, as gates of squeeze layers do not."""
    while s.readers[at]:
        if len(s.readers[at]) > 1 or len(s.nodes[s.readers[at][0]].inputs) > 1:
            return False
        at = s.readers[at][0]
    return True
