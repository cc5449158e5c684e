"""W3…: words of one kind behind each other, of which one is enough."""

from collections.abc import Iterator

from cnndsl.edits import removal
from cnndsl.ir import Node
from cnndsl.layers.activation import Activation, Relu, Relu6, Scale, Sigmoid
from cnndsl.layers.base import Layer
from cnndsl.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from cnndsl.layers.softmax import Softmax
from cnndsl.lints.base import Found, Subject, line_at, lint
from cnndsl.source import Fix

_NORMS = (BatchNorm, GroupNorm, InstanceNorm, LayerNorm)


@lint("W303")
def activated_twice(s: Subject) -> Iterator[Found]:
    """An activation directly on the output of another."""
    for node in s.nodes:
        first = _before(s, node, Activation)
        if first is None or isinstance(node.layer, Scale) or isinstance(first.layer, Scale):
            continue
        same = type(first.layer) is type(node.layer) and isinstance(node.layer, Relu | Relu6)
        effect = "the second does nothing" if same else _loses(first, node)
        yield _twice(first, node, effect, safe=same)


@lint("W311")
def normalised_twice(s: Subject) -> Iterator[Found]:
    """A normalisation directly on the output of another."""
    for node in s.nodes:
        first = _before(s, node, _NORMS)
        if first is not None:
            yield _twice(first, node, "the second normalises what is normalised already")


def _before(s: Subject, node: Node, kind: type[Layer] | tuple[type[Layer], ...]) -> Node | None:
    """The node of a kind directly before one of that kind.

    Before a word that a default adds it is any of the words that the statement itself writes.
    """
    if not isinstance(node.layer, kind):
        return None
    first = s.source_of(node)
    if not _is_written(node):
        while first.follows and not isinstance(first.layer, kind):
            first = s.source_of(first)
    return first if isinstance(first.layer, kind) else None


def _twice(first: Node, second: Node, effect: str, safe: bool = False) -> Found:
    """Two words that are one too many, at the one that the statement itself writes."""
    said = second
    notes = tuple[str, ...]()
    if not _is_written(second) and _is_written(first):
        said = first
        notes = (f"`{second.text}` comes from the default at {line_at(second, first)}",)
    alike = type(first.layer) is type(second.layer)
    return Found(
        f"`{second.layer.word}` behind `{first.layer.word}`: {effect}", said.span,
        "keep one of them", notes, _dropped(said, safe) if alike else None,
    )  # fmt: skip


def _is_written(node: Node) -> bool:
    """Whether a word stands in its own statement, and comes from no `default`."""
    return node.statement is not None and node.statement.holds(node.span)


def _loses(first: Node, second: Node) -> str:
    if isinstance(second.layer, Softmax | Sigmoid) and isinstance(first.layer, Relu | Relu6):
        return "all negative logits are cut to the same probability"
    return "one non-linearity a layer is enough"


def _dropped(node: Node, safe: bool) -> Fix | None:
    """Remove a word behind others."""
    return removal(node.span, safe=safe) if node.follows and _is_written(node) else None
