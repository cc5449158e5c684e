"""Where everything stands: series become columns of boxes, branches stand side by side.

The layout is recursive and needs no solver: each function gives a `Piece` whose flow enters at the
top and leaves at the bottom.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnndsl.diagram import labels
from cnndsl.diagram.geometry import Box, Label, Piece, Point, Wire
from cnndsl.diagram.plan import Branches, Series, plan
from cnndsl.diagram.tree import Item

CAPTION, NOTE, SHAPE = 12.5, 10.5, 10.0
"""Sizes of the texts, in pixels."""
_PAD, _HEAD, _LANE, _BUS = 14.0, 20.0, 22.0, 12.0


@dataclass(frozen=True)
class Style:
    """Sizes that one picture shares. `down` is whether the data flow downwards, else right."""

    column: float
    down: bool = True

    @property
    def gap(self) -> float:
        """Between two boxes: room for a shape, beside the wire or above it."""
        return 30.0 if self.down else 78.0

    @property
    def stub(self) -> float:
        """The wire between a box and the line that branches share."""
        return 27.0 if self.down else 76.0

    def size(self, item: Item) -> tuple[float, float]:
        """Width and height of a closed box, as it will be seen."""
        if weighty(item):
            return self.column, 46.0
        return max(56.0, _needed(item)), 26.0


def weighty(item: Item) -> bool:
    """Whether the box has a second line: blocks, and all that has parameters."""
    return item.block or bool(item.params or item.macs)


def weight(item: Item) -> str:
    """`9.41 k · 118 M`: parameters and multiply-accumulates."""
    return f"{short(item.params)} · {short(item.macs)}"


def short(number: float) -> str:
    """Three digits and a unit: `25.6 M`."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= factor * 0.9995:
            return f"{number / factor:.3g}{unit}"
    return f"{number:g}"


def _needed(item: Item) -> float:
    if not weighty(item):
        both = f"{item.caption} · {item.note}" if item.note else item.caption
        return labels.width(both, CAPTION, bold=True) + 26
    second = labels.width(f"{item.note}   {weight(item)}", NOTE)
    return max(labels.width(item.caption, CAPTION, bold=True), second) + 28


def style_of(root: Item, down: bool) -> Style:
    """One width for all boxes that have a second line: that of the longest text, within reason."""
    widest = max((_needed(box) for box in root.boxes if weighty(box)), default=0.0)
    return Style(min(236.0, max(150.0, widest)), down)


def leaf(style: Style, parent: Item, at: int) -> Piece:
    """A closed box or an open block, with the ends of its wires and the shape it gives."""
    item = parent.children[at]
    piece = frame(style, item) if item.open else _closed(style, item)
    piece.after = style.gap
    for link in parent.links:
        if link.start == at:
            piece.open[link.start, link.end] = [(piece.leave, piece.h)]
        if link.end == at:
            piece.open[link.start, link.end] = [(piece.enter, 0.0)]
    if any(link.start == at and link.end < len(parent.children) for link in parent.links):
        piece.labels.append(Label((piece.leave, piece.h + style.gap / 2), item.shape))
    return piece


def _closed(style: Style, item: Item) -> Piece:
    w, h = style.size(item)
    wide, high = (w, h) if style.down else (h, w)
    room = max(wide, 2 * (labels.width(labels.shape(item.shape), SHAPE) + 10) if style.down else 34)
    box = Box(item, (room - wide) / 2, 0.0, wide, high)
    return Piece(room + 2 * box.behind, high + box.behind, room / 2, room / 2, [box])


def frame(style: Style, item: Item) -> Piece:
    """An open block: its inside with a border and a caption."""
    inner = group(style, item)
    head, side = (_HEAD, 0.0) if style.down else (0.0, _HEAD)
    out = inner.placed(_PAD + side, head + _PAD)
    out.w, out.h = inner.w + 2 * _PAD + side, inner.h + 2 * _PAD + head
    wires = finished(item, out.open, (out.enter, 0.0), (out.leave, out.h))
    title = _title(style, out, item)
    box = Box(item, 0.0, 0.0, out.w, out.h, title)
    out.boxes.insert(0, box)
    out.wires += wires
    return replace(out, w=out.w + box.behind, h=out.h + box.behind, open={})


def _title(style: Style, out: Piece, item: Item) -> Point:
    """Where the caption starts: left of the entering wire, else right of it, with room made."""
    if not style.down:
        return _HEAD / 2, 9.0
    needed = min(240.0, labels.width(item.caption, NOTE, bold=True) + 17)
    if needed <= out.enter:
        return 9.0, _HEAD / 2
    out.w = max(out.w, out.enter + needed)
    return out.enter + 9.0, _HEAD / 2


def finished(
    item: Item, found: dict[tuple[int, int], list[Point]], top: Point, bottom: Point
) -> list[Wire]:  # fmt: skip
    """The wires of a group, from box to box and from border to box."""
    count, wires = len(item.children), list[Wire]()
    for link in item.links:
        points = list(found.get((link.start, link.end), []))
        points = [top, *points] if link.start < 0 else points
        points = [*points, bottom] if link.end == count else points
        arrow = link.end < count and not item.children[link.end].open
        wires.append(Wire(_clean(points), arrow, link.via))
    return wires


def _clean(points: Sequence[Point]) -> tuple[Point, ...]:
    """Corners without those that stand twice or on a straight line."""
    kept = list[Point]()
    for p in points:
        if kept and p == kept[-1]:
            continue
        if len(kept) > 1 and (
            kept[-2][0] == kept[-1][0] == p[0] or kept[-2][1] == kept[-1][1] == p[1]
        ):
            kept.pop()
        kept.append(p)
    return tuple(kept)


def group(style: Style, item: Item) -> Piece:
    """The inside of a group, without its border."""
    planned = plan(len(item.children), [(link.start, link.end) for link in item.links])
    piece = series(style, item, planned.series)
    return along_the_edge(item, piece, planned.aside)


def along_the_edge(item: Item, piece: Piece, aside: Sequence[tuple[int, int]]) -> Piece:
    """Links that fit no order, each on a line of its own at the right."""
    places = {id(box.item): box for box in piece.boxes}
    for start, end in aside:
        piece.w += 12
        x = piece.w - 2
        points = list[Point]()
        for at in (start, end):
            if 0 <= at < len(item.children):
                box = places[id(item.children[at])]
                spot = (box.x + box.w, box.middle[1])
            else:
                spot = (piece.enter, 0.0) if at < 0 else (piece.leave, piece.h)
            points += [spot, (x, spot[1])] if not points else [(x, spot[1]), spot]
        piece.open[start, end] = points
    return piece


def series(style: Style, item: Item, order: Series) -> Piece:
    """One behind the other, on a straight line."""
    return stacked([part(style, item, p) for p in order.parts])


def part(style: Style, item: Item, what: "int | Branches") -> Piece:
    """An item or a branching."""
    if isinstance(what, Branches):
        return branches(style, item, what)
    return leaf(style, item, what)


def stacked(pieces: Sequence[Piece]) -> Piece:
    """Pieces under one another, each leaving where the next is entered."""
    starts, x = list[float](), 0.0
    for piece in pieces:
        starts.append(x - piece.enter)
        x += piece.leave - piece.enter
    left = min(starts)
    wide = max(s + p.w for s, p in zip(starts, pieces, strict=True)) - left
    out, y = Piece(wide, 0.0, -left, x - left), 0.0
    for start, piece in zip(starts, pieces, strict=True):
        out.take(piece.placed(start - left, y))
        y += piece.h + piece.after
    out.h, out.after = y - pieces[-1].after, pieces[-1].after
    return out


def branches(style: Style, item: Item, what: Branches) -> Piece:
    """Columns between two lines that they share; a skip takes a lane at the right."""
    columns = [series(style, item, branch) for branch in what.branches]
    if len(columns) == 2:
        columns.sort(key=lambda c: -len(c.boxes))
    top, high = _BUS, max(c.h for c in columns)
    out, x = Piece(0.0, 0.0, 0.0, 0.0), 0.0
    placed = list[Piece]()
    for column in columns:
        placed.append(column.placed(x, top))
        x += column.w + _PAD
    x -= _PAD
    spine = placed[0].enter if len(placed) < 3 else x / 2
    bottom = top + high + style.stub
    for column in placed:
        for link, points in column.open.items():
            if link[0] == what.start:
                points[:0] = [(spine, 0.0), (spine, 2.0), (column.enter, 2.0)]
            if link[1] == what.stop:
                points += [(column.leave, bottom), (spine, bottom)]
        out.take(column)
    if what.skip:
        x += _LANE
        lane = [(spine, 2.0), (x - 6, 2.0), (x - 6, bottom), (spine, bottom)]
        out.open[what.start, what.stop] = [(spine, 0.0), *lane]
    out.w, out.h, out.enter, out.leave = x, bottom, spine, spine
    out.after = _BUS + 4
    return out
