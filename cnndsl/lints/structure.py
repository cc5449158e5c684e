"""W3…: words in an order that wastes or breaks them."""

import re
from collections.abc import Iterator

from cnndsl.ir import Node
from cnndsl.layers.activation import Sigmoid, Tanh
from cnndsl.layers.conv import Conv, Convolution
from cnndsl.layers.dense import Dense, Flatten
from cnndsl.layers.dropout import Dropout
from cnndsl.layers.merge import Add, Concat
from cnndsl.layers.norm import BatchNorm
from cnndsl.lints.base import Found, Subject, line_at, lint
from cnndsl.shapes import show
from cnndsl.source import Fix
from cnndsl.syntax import ast

_LINEAR = (BatchNorm, Flatten, Dropout)  # between two linear layers, these keep the whole linear
_SQUASHING = (Sigmoid, Tanh)
_MERGES = ("add", "mul", "concat")
_MOST_NEW = 0.5  # share of a batch's statistics from which Keras's meaning is more likely
_DEEP = 5  # squashing activations in a row whose gradients, at most 1/4 or 1 each, multiply


@lint("W301")
def collapsing(s: Subject) -> Iterator[Found]:
    """Two convolutions or two denses with nothing between them that is not linear."""
    for i, first in enumerate(s.nodes):
        if not isinstance(first.layer, Conv | Dense) or not first.inputs:
            continue
        behind = _next_layer(s, i)
        if behind is None or type(behind.layer) is not type(first.layer):
            continue
        if _is_bottleneck(s, first, behind) or not _whole(first, behind):
            continue
        yield Found(
            f"nothing but linear layers stands between this `{first.layer.word}` and the next at "
            f"{line_at(behind, first)}: together they can do no more than one", first.span,
            f"add an activation: `{first.text} relu`", fix=_activate(s, i),
        )  # fmt: skip


def _next_layer(s: Subject, i: int) -> Node | None:
    """What comes behind a node and the linear layers that follow it, where that is one thing."""
    at = s.only_reader(i)
    while at is not None and isinstance(s.nodes[at].layer, _LINEAR):
        at = s.only_reader(at)
    return None if at is None else s.nodes[at]


def _is_bottleneck(s: Subject, first: Node, second: Node) -> bool:
    """Whether the middle is narrower than both ends: a factorisation, which saves weights."""
    middle = first.shape[0]
    return middle < s.source_of(first).shape[0] and middle < second.shape[0]


def _whole(first: Node, second: Node) -> bool:
    """Whether both see all channels, and are not the halves of one kernel (1×7 and 7×1)."""
    a, b = first.layer, second.layer
    if not (isinstance(a, Conv) and isinstance(b, Conv)):
        return True
    halves = 1 in a.kernel and 1 in b.kernel and a.kernel[0] != b.kernel[0]
    return a.groups == b.groups == 1 and not (halves and a.kernel != (1, 1) != b.kernel)


def _activate(s: Subject, i: int) -> Fix | None:
    """`relu` behind the last word of the layer's own statement."""
    node, at = s.nodes[i], i
    while (nxt := s.only_reader(at)) is not None and s.nodes[nxt].statement == node.statement:
        at = nxt
    last = s.nodes[at].span
    if node.statement is None or not node.statement.holds(last):
        return None  # a word from a `default`
    return Fix(last.at_end(), " relu", "add `relu`", safe=False)


@lint("W302")
def vanishing(s: Subject) -> Iterator[Found]:
    """Many sigmoids or tanhs one behind the other, and no way around them."""
    fewest: list[int] = []
    for i, node in enumerate(s.nodes):
        squashes = isinstance(node.layer, _SQUASHING) and not s.is_output(i)
        before = min((fewest[x] for x in node.inputs), default=0)
        fewest.append(0 if isinstance(node.layer, BatchNorm) else before + squashes)
        if squashes and fewest[-1] == _DEEP:
            yield Found(
                f"this is the {_DEEP}th `sigmoid` or `tanh` in a row: gradients shrink at each, so "
                "the first layers hardly learn", node.span,
                "take `relu`, which passes gradients whole, or put `bn` between",
                fix=Fix(node.span, "relu", "write `relu`", safe=False),
            )  # fmt: skip


@lint("W304")
def useless_bias(s: Subject) -> Iterator[Found]:
    """A bias that the batch norm behind it subtracts again."""
    for i, node in enumerate(s.nodes):
        layer, at = node.layer, s.only_reader(i)
        if not isinstance(layer, Convolution | Dense) or at is None:
            continue
        bias = next((p for p in node.params if p.name == "bias"), None)
        if bias is None or not isinstance(s.nodes[at].layer, BatchNorm):
            continue
        yield Found(
            f"the batch norm at {line_at(s.nodes[at], node)} subtracts this bias again: "
            f"{bias.shape[0]:,} parameters do nothing", node.places.get("bias", node.span),
            "write `nobias`, or `bn` in the same statement", fix=_unbiased(s, node, s.nodes[at]),
        )  # fmt: skip


def _unbiased(s: Subject, node: Node, norm: Node) -> Fix | None:
    """`nobias`, where the layer is always one before a norm."""
    said, behind = node.places.get("bias"), norm.statement
    if not s.is_alone(node) or behind is None or re.search(r"\bif\b", behind.text):
        return None
    if said is not None:
        inside = node.statement is not None and node.statement.holds(said)
        return Fix(said, "nobias", "write `nobias`") if inside else None
    return Fix(node.span.at_end(), " nobias", "add `nobias`")


@lint("W305")
def dropout_before_norm(s: Subject) -> Iterator[Found]:
    """Dropout right before batch norm: its statistics differ between training and use."""
    for i, node in enumerate(s.nodes):
        at = s.only_reader(i)
        if isinstance(node.layer, Dropout) and at is not None:
            behind = s.nodes[at]
            if isinstance(behind.layer, BatchNorm):
                yield Found(
                    f"`dropout` directly before the batch norm at {line_at(behind, node)}: the "
                    "variance that it learns is that of training, not of use", node.span,
                    "put `dropout` behind `bn` and its activation, or drop it (Li et al. 2018, "
                    "arXiv:1801.05134)",
                )  # fmt: skip


@lint("W306")
def kerass_momentum(s: Subject) -> Iterator[Found]:
    """A batch norm that forgets at once: its momentum was meant as Keras's, the share kept."""
    for node in s.nodes:
        layer = node.layer
        if (
            isinstance(layer, BatchNorm)
            and layer.momentum > _MOST_NEW
            and "momentum" in node.places
        ):
            said, share = node.places["momentum"], f"momentum={1 - layer.momentum:.6g}"
            inside = node.statement is not None and node.statement.holds(said)
            yield Found(
                f"the running statistics are to {layer.momentum:.0%} those of the last batch: "
                "`momentum` is the share of the new ones, as in PyTorch", said,
                f"Keras's momentum is the share of the old ones: write `{share}`",
                fix=Fix(said, share, f"write `{share}`", safe=False) if inside else None,
            )  # fmt: skip


@lint("W307")
def joined_with_itself(s: Subject) -> Iterator[Found]:
    """`add a b` right behind `b:`, which is the current tensor and so counts twice."""
    for node in s.nodes:
        said = node.statement or node.span
        if not isinstance(node.layer, Add | Concat) or "{" in said.text:
            continue
        if node.inputs[0] in node.inputs[1:]:
            word, at = node.layer.word, node.inputs[1:].index(node.inputs[0])
            labels = said.text.partition(word)[2].split()
            name = labels[at] if at < len(labels) else s.nodes[node.inputs[0]].path
            yield Found(
                f"`{word}` takes the tensor above, `{name}`, and then `{name}` once more", said,
                f"leave `{name}` out: `{word}` starts with the tensor above",
            )  # fmt: skip


@lint("W308")
def leads_nowhere(s: Subject) -> Iterator[Found]:
    """The last layers of branches that no output reads."""
    alive, left = set[int](), list(s.model.outputs.values())
    while left:
        i = left.pop()
        if i not in alive:
            alive.add(i)
            left += s.nodes[i].inputs
    for i, node in enumerate(s.nodes):
        if i not in alive and not s.readers[i]:
            yield Found(
                f"no output reads `{node.path.rpartition('.')[2]}`: it is computed for nothing",
                node.statement or node.span,
                "remove it, name it an `output`, or bring it in by `add` or `concat` and its label",
            )


@lint("W309")
def one_branch(s: Subject) -> Iterator[Found]:
    """A merge with a single branch, whose `|` was forgotten perhaps."""
    for node in s.all(ast.Statement):
        group = node.group
        if node.head.id not in _MERGES or node.items or group is None:
            continue
        if len(group.branches) == 1:
            word = node.head.id
            yield Found(
                f"`{word}` has one branch, so it changes nothing", node.head.span,
                f"put `|` before the other branch; a shortcut is `{word} {{ … | id }}`",
            )  # fmt: skip


@lint("W310")
def output_unasked(s: Subject) -> Iterator[Found]:
    """What an `output NAME { … }` at the end starts from: an output of its own."""
    shapes = s.model.output_shapes()
    written = [
        node for node in s.file.body
        if isinstance(node, ast.Statement) and node.head.id not in ("train", "search", "default")
    ]  # fmt: skip
    last = written[-1] if written else None
    if last is None or last.head.id != "output" or last.group is None:
        return
    is_asked = any("output" in _named(node) for node in written)
    if "output" in shapes and len(shapes) > 1 and not is_asked:
        yield Found(
            f"what `output {' '.join(_named(last))}` starts from is an output, too: "
            f"`output`, {show(shapes['output'])}", last.head.span,
            "write the layers of the last output without braces, and its name behind them",
        )  # fmt: skip


def _named(node: ast.Statement) -> list[str]:
    """The name that an `output` gives."""
    names = [item.value.id for item in node.items
             if isinstance(item, ast.Positional) and isinstance(item.value, ast.Name)]  # fmt: skip
    return names if node.head.id == "output" else []
