"""The whole picture: a U where skips are nested over smaller maps, else columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnndsl.diagram.geometry import Label, Piece
from cnndsl.diagram.layout import Style, along_the_edge, finished, leaf, part, stacked, style_of
from cnndsl.diagram.plan import Branches, Plan, Series, plan
from cnndsl.diagram.tree import Item

_TALL, _GUTTER, _UNDER = 1000.0, 64.0, 16.0
Parts = tuple[int | Branches, ...]


@dataclass(frozen=True)
class Layout:
    """A picture's places, turned as it will be seen."""

    root: Item
    style: Style
    piece: Piece


def arrange(root: Item, down: bool = True) -> Layout:
    """The layout of a whole model."""
    style = style_of(root, down)
    planned = plan(len(root.children), [(link.start, link.end) for link in root.links])
    nest = _nested(root, planned) if down else None
    piece = _u(style, root, nest) if nest else _columns(style, root, planned)
    wires = finished(root, piece.open, (0, 0), (0, 0))
    piece.wires += [
        replace(wire, aside=(link.start, link.end) in planned.aside)
        for wire, link in zip(wires, root.links, strict=True)
    ]
    return Layout(root, style, piece if down else piece.sideways())


def _columns(style: Style, root: Item, planned: Plan) -> Piece:
    """One behind the other, wrapped into columns where that is too tall."""
    pieces = [part(style, root, p) for p in planned.series.parts]
    if planned.aside:
        return along_the_edge(root, stacked(pieces), planned.aside)
    straight = stacked(pieces)
    if straight.h <= (_TALL if style.down else 1.6 * _TALL):
        return straight
    tried = [_wrapped(style, _chunks(pieces, count)) for count in range(2, 10)]
    best = min(tried, key=lambda piece: max(piece.w, piece.h))
    return best if max(best.w, best.h) < 0.8 * straight.h else straight


def _chunks(pieces: Sequence[Piece], count: int) -> list[list[Piece]]:
    """The pieces in so many runs of about equal height, or fewer."""
    goal = sum(p.h + p.after for p in pieces) / count
    chunks, filled = [list[Piece]()], 0.0
    for piece in pieces:
        if chunks[-1] and filled + piece.h / 2 > goal * len(chunks) and len(chunks) < count:
            chunks.append([])
        chunks[-1].append(piece)
        filled += piece.h + piece.after
    return chunks


def _wrapped(style: Style, chunks: Sequence[Sequence[Piece]]) -> Piece:
    """Columns side by side; the flow goes on at the top of the next."""
    out, x = Piece(0.0, 0.0, 0.0, 0.0), 0.0
    for chunk in chunks:
        column = stacked(chunk).placed(x, 0.0)
        if x:
            _turn(style, out, column, x - _GUTTER / 2)
        out.take(column)
        x += column.w + _GUTTER
        out.w, out.h = x - _GUTTER, max(out.h, column.h)
        out.leave, out.after = column.leave, column.h
    return out


def _turn(style: Style, out: Piece, column: Piece, x: float) -> None:
    """From the foot of the columns so far up to the head of the next, through the gutter at x."""
    foot, head = out.after + style.gap - 6, -_GUTTER / 3
    for link in out.open.keys() & column.open.keys():
        out.open[link] += [(out.leave, foot), (x, foot), (x, head), (column.enter, head)]


# The U


@dataclass(frozen=True)
class _Nest:
    """What goes down at the left, what comes up at the right, a level each; and the bottom."""

    levels: tuple[tuple[Parts, Parts], ...]
    bottom: Parts


def _nested(root: Item, planned: Plan) -> _Nest | None:
    """The levels of a U: two skips or more, each over a way through smaller maps."""
    levels, order = list[tuple[Parts, Parts]](), planned.series
    while True:
        at = [i for i, p in enumerate(order.parts) if isinstance(p, Branches) and _arc(root, p)]
        if len(at) != 1:
            break
        arc = order.parts[at[0]]
        assert isinstance(arc, Branches)
        levels.append((order.parts[: at[0]], order.parts[at[0] + 1 :]))
        order = arc.branches[0]
    whole = len(levels) > 1 and not planned.aside and all(all(pair) for pair in levels)
    return _Nest(tuple(levels), order.parts) if whole else None


def _arc(root: Item, what: Branches) -> bool:
    """Whether a skip passes by a way through smaller maps."""
    between = what.start >= 0 and what.stop < len(root.children)
    if not (what.skip and between and len(what.branches) == 1):
        return False
    here = root.children[what.start].shape
    return any(root.children[i].shape[1:] < here[1:] for i in _all(what.branches[0]))


def _all(order: Series) -> list[int]:
    inner = [
        i for p in order.parts if isinstance(p, Branches) for branch in p.branches
        for i in _all(branch)
    ]  # fmt: skip
    return [*(p for p in order.parts if isinstance(p, int)), *inner]


def _u(style: Style, root: Item, nest: _Nest) -> Piece:
    """Down at the left, up at the right, skips straight across."""
    before, centre, behind = _middle(root, nest.bottom)

    def column(parts: Parts) -> Piece:
        return stacked([part(style, root, p) for p in parts])

    left = [column(parts) for parts, _ in nest.levels]
    right = [column(parts).upwards() for _, parts in nest.levels]
    left += [column(before)] if before else []
    right += [column(behind).upwards()] if behind else []
    bottom = leaf(style, root, centre)
    spine = max(p.enter for p in left)
    apart = max(
        max(p.w - p.enter for p in left) + max(p.enter for p in right) + 100, bottom.w + 150
    )  # fmt: skip
    other = spine + apart
    out = Piece(other + max(p.w - p.enter for p in right), 0.0, spine, other)
    skips = [(_last(parts), _first(back)) for parts, back in nest.levels]
    placed = _rows(style, root, (left, right), (spine, other), skips)
    y = placed[2] + (_UNDER if root.children[centre].open else 0.0)
    for piece in placed[0]:
        out.take(piece)
    out.take(_bottom(style, root, centre, bottom, (spine, other, y)))
    for piece in reversed(placed[1]):
        out.take(piece)
    _across(root, out, skips)
    out.h = y + bottom.h
    return out


def _middle(root: Item, parts: Parts) -> tuple[Parts, int, Parts]:
    """The bottom's heaviest item, and what stands before and behind it."""
    items = [(root.children[p].macs, -i) for i, p in enumerate(parts) if isinstance(p, int)]
    at = -max(items)[1]
    centre = parts[at]
    assert isinstance(centre, int)
    return parts[:at], centre, parts[at + 1 :]


def _last(parts: Parts) -> int:
    found = parts[-1]
    assert isinstance(found, int)
    return found


def _first(parts: Parts) -> int:
    found = parts[0]
    assert isinstance(found, int)
    return found


def _rows(
    style: Style, root: Item, sides: tuple[list[Piece], list[Piece]],
    spines: tuple[float, float], skips: list[tuple[int, int]],
) -> tuple[list[Piece], list[Piece], float]:  # fmt: skip
    """Both sides level by level, the two ends of a skip at one height; and where they end."""
    placed, ends = (list[Piece](), list[Piece]()), [0.0, 0.0]
    for row in range(max(map(len, sides))):
        here = [side[row] if row < len(side) else None for side in sides]
        centres = [0.0, 0.0]
        if row < len(skips):
            centres = [_centre(root, p, i) for p, i in zip(here, skips[row], strict=True)]
        line = max(end + c for end, c in zip(ends, centres, strict=True))
        for i, piece in enumerate(here):
            if piece:
                placed[i].append(piece.placed(spines[i] - piece.enter, line - centres[i]))
                ends[i] = line - centres[i] + piece.h + style.gap
    return *placed, max(ends)


def _centre(root: Item, piece: Piece | None, at: int) -> float:
    """The height at which an item's skip leaves or enters."""
    assert piece is not None
    return next(box.middle[1] for box in piece.boxes if box.item is root.children[at])


def _bottom(
    style: Style, root: Item, at: int, piece: Piece, place: tuple[float, float, float]
) -> Piece:  # fmt: skip
    """The item at the bottom, between the two sides: entered from the left, left to the right."""
    left, right, y = place
    item = root.children[at]
    out = piece.placed((left + right) / 2 - piece.enter, y)
    box = next(b for b in out.boxes if b.item is item)
    x, middle = box.middle
    came = [(left, middle), (box.x, middle)]
    goes = [(box.x + box.w, middle), (right, middle)]
    if item.open:
        foot = box.y + box.h + _UNDER
        came = [(left, y - _UNDER), (x, y - _UNDER), (x, y)]
        goes = [(x, box.y + box.h), (x, foot), (right, foot)]
        out.h += _UNDER
    out.open = {link: goes if link[0] == at else came for link in out.open}
    out.labels = out.labels[:-1]
    out.labels.append(Label((goes[-2][0] / 2 + right / 2, goes[-1][1]), item.shape, False))
    return out


def _across(root: Item, out: Piece, skips: list[tuple[int, int]]) -> None:
    boxes = {id(box.item): box for box in out.boxes}
    for start, stop in skips:
        a, b = boxes[id(root.children[start])], boxes[id(root.children[stop])]
        y = a.middle[1]
        out.open[start, stop] = [(a.x + a.w, y), (b.x, y)]
        out.labels.append(Label(((a.x + a.w + b.x) / 2, y), root.children[start].shape, False))
