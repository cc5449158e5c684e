"""Statements behind the inputs of a merge, written into its branches, its labels or before it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from cnndsl.edits import Edit
from cnndsl.ir import Node
from cnndsl.layers.mend import Behind
from cnndsl.passes.mending_base import Advice, Spot, before, fits_a_line, joined, rewritten
from cnndsl.syntax import ast

_BRIEF = 12  # characters of a branch that is shown though it stays as it is


def behind(mend: Behind, reason: str, spot: Spot) -> Advice:
    """The merge as it should be written, and the fix."""
    own = _in_own_words(mend, spot)
    suits = own is not None or spot.suits(*mend.texts)
    mend = own or mend
    edits = edits_behind(mend, spot)
    if not edits:
        wanted = (f"`{text}` behind input {i + 1}" for i, text in enumerate(mend.texts) if text)
        return f"{reason}: {' and '.join(wanted)}", None
    shown = rewritten(spot, edits) or _outline(mend, spot)
    fix = joined(spot, edits) if suits else None
    return f"{reason}: `{shown}`{mend.otherwise}", fix


def edits_behind(mend: Behind, spot: Spot) -> list[Edit]:
    """What to change in the text of the merge; nothing where its labels stand apart."""
    node, labels = spot.statement, spot.binding.labels
    group = node.group
    own = len(mend.texts) - len(labels)
    if any(mend.texts[own:]) and not _adjacent(labels):
        return []
    if group is None:
        return _of_labels(mend, node, labels)
    if node.head.id == "residual":
        return list(_of_residual(mend, node, group))
    edits = [_at_end(group, i, text) for i, text in enumerate(mend.texts[:own]) if text]
    if any(mend.texts[own:]):
        edits += _labels_as_branches(group, labels, mend.texts[own:])
    return edits


def _of_labels(mend: Behind, node: ast.Statement, labels: list[ast.Name]) -> list[Edit]:
    """`add a` as `add { id | from a; pool 2 }`, or something before it."""
    first, *rest = mend.texts
    if not any(rest):
        return [before(node, first)]
    branches = [first or "id", *_sources(labels, tuple(rest))]
    text = f"{{ {' | '.join(branches)} }}"
    return [Edit(labels[0].span.start, labels[-1].span.end, text)]


def _of_residual(mend: Behind, node: ast.Statement, group: ast.Group) -> Iterator[Edit]:
    """A `residual` whose skip is not the input itself is an `add` of two branches."""
    branch, skip = mend.texts
    if branch:
        yield _at_end(group, 0, branch)
    if skip:
        yield Edit(node.head.span.start, node.head.span.end, "add")
        end = _end(group, 0)
        yield Edit(end, end, f" | {skip}")


def _labels_as_branches(
    group: ast.Group, labels: list[ast.Name], texts: tuple[str, ...]
) -> Iterator[Edit]:
    """`add { f | id } a` as `add { f | id | from a; pool 2 }`."""
    end = _end(group, len(group.places) - 1)
    yield Edit(end, end, "".join(f" | {source}" for source in _sources(labels, texts)))
    first, last = labels[0].span, labels[-1].span
    text = first.source.text
    yield Edit(len(text[: first.start].rstrip()), last.end, "")


def _sources(labels: list[ast.Name], texts: tuple[str, ...]) -> list[str]:
    """Branches that start from labels."""
    pairs = zip(labels, texts, strict=True)
    return [f"from {label.id}" + (f"; {text}" if text else "") for label, text in pairs]


def _at_end(group: ast.Group, i: int, text: str) -> Edit:
    """Statements at the end of a branch; a lone `id` makes room for them."""
    suite = group.branches[i]
    if not suite:
        return Edit(group.places[i].start, group.places[i].end, f" {text} ")
    if len(suite) == 1 and suite[0].span.text == "id":
        return Edit(suite[0].span.start, suite[0].span.end, text)
    return Edit(suite[-1].span.end, suite[-1].span.end, f"; {text}")


def _end(group: ast.Group, i: int) -> int:
    suite = group.branches[i]
    return suite[-1].span.end if suite else group.places[i].end


def _adjacent(labels: list[ast.Name]) -> bool:
    """Whether nothing stands between the labels."""
    pairs = pairwise(labels)
    return all(not a.span.source.text[a.span.end : b.span.start].strip() for a, b in pairs)


def _outline(mend: Behind, spot: Spot) -> str:
    """The merge without what stays as it is: `add { … | conv 64 1x1 }`."""
    group, labels, texts = spot.statement.group, spot.binding.labels, mend.texts
    places = group.places if group else ()
    pairs = zip(places, texts, strict=False)
    branches = [_brief(place.text.strip(), text) for place, text in pairs]
    word = spot.statement.head.id
    if word == "residual" and texts[1]:
        word, branches = "add", [*branches, texts[1]]
    branches += [] if group else [_brief("id", texts[0])]
    branches += _sources(labels, texts[len(texts) - len(labels) :])
    return f"{word} {{ {' | '.join(branches)} }}"


def _brief(now: str, added: str) -> str:
    """A branch with what is put behind it."""
    if now in ("", "id") and added:
        return added
    kept = now if len(now) <= _BRIEF and fits_a_line(now) else "…"
    return f"{kept}; {added}" if added else kept


# Numbers of a block in its own words

_PROJECTION = re.compile(r"conv [0-9]+ 1x1( /[0-9]+)?")


def _in_own_words(mend: Behind, spot: Spot) -> Behind | None:
    """`conv 64 1x1 /2` as `conv c 1x1 /s`, as the first input's layers in the block have it."""
    matches = [_PROJECTION.fullmatch(text) for text in mend.texts]
    if not spot.shared or any(text and not m for text, m in zip(mend.texts, matches, strict=True)):
        return None
    goal = spot.nodes[spot.inputs[0]].shape
    filters, strides = _fields(spot, "filters"), _fields(spot, "stride")
    known = filters and getattr(filters[0].layer, "filters", 0) == goal[0]
    strided = any(m[1] for m in matches if m)
    if not known or len(strides) != strided:
        return None
    stride = f" {strides[0].places['stride'].text}" if strided else ""
    text = f"conv {filters[0].places['filters'].text} 1x1{stride}"
    return replace(mend, texts=tuple(text if each else "" for each in mend.texts))


def _fields(spot: Spot, name: str) -> list[Node]:
    """Layers of the block on the way to the first input that have a field written, last first."""
    found, at = list[Node](), spot.inputs[0]
    while spot.nodes[at].stack == spot.stack and len(spot.nodes[at].inputs) == 1:
        if name in spot.nodes[at].places:
            found.append(spot.nodes[at])
        at = spot.nodes[at].inputs[0]
    return found
