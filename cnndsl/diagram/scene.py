"""A layout as rectangles, lines and texts: what every kind of picture is drawn from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cnndsl.diagram import labels
from cnndsl.diagram.arrange import Layout
from cnndsl.diagram.geometry import Box, Label, Point, Wire
from cnndsl.diagram.layout import CAPTION, NOTE, SHAPE, short, weight, weighty
from cnndsl.diagram.tree import Item
from cnndsl.ir import Model
from cnndsl.source import counted

_EDGE, _TOP, _NAME = 28.0, 84.0, 18.0


@dataclass(frozen=True)
class Rect:
    """A rectangle with round corners; `kind` is its look (diagram/palette.py)."""

    x: float
    y: float
    w: float
    h: float
    kind: str
    round: float = 0.0


@dataclass(frozen=True)
class Line:
    """A line through corners, rounded where there is room."""

    points: tuple[Point, ...]
    kind: str
    arrow: bool = False


@dataclass(frozen=True)
class Text:
    """A text by its baseline; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    size: float
    kind: str
    anchor: str = "start"
    bold: bool = False


Mark = Rect | Line | Text


@dataclass
class Group:
    """Marks that belong together, with what a pointer on them tells."""

    title: str
    marks: list[Mark] = field(default_factory=list[Mark])
    path: str = ""


@dataclass(frozen=True)
class Scene:
    """All marks, from back to front, and the size of the picture."""

    name: str
    about: str
    w: float
    h: float
    groups: tuple[Group, ...]


def scene(model: Model, layout: Layout) -> Scene:
    """The picture of a model: heading, network, legend."""
    about = f"{short(model.params)} parameters · {short(model.macs)} MACs · "
    about += f"{labels.shape(model.input)} → "
    about += ", ".join(labels.shape(s) for s in model.output_shapes().values())
    groups, low, high = _network(layout)
    wide = max(high[0] - low[0], labels.width(about, 12), 300.0) + 2 * _EDGE
    tall = high[1] - low[1] + _TOP
    dx = (wide - (high[0] - low[0])) / 2 - low[0]
    moved = [_shifted(g, dx, _TOP - low[1]) for g in groups]
    legend, end = _legend(layout.root, wide, tall + 30)
    head = Group("", [
        Text(_EDGE, 36, model.name, _NAME, "ink", bold=True), Text(_EDGE, 55, about, 12, "soft"),
    ])  # fmt: skip
    return Scene(model.name, about, wide, end + 18, (head, *moved, legend))


def _network(layout: Layout) -> tuple[list[Group], Point, Point]:
    """The marks of a layout, and the corners of what they cover."""
    piece, down = layout.piece, layout.style.down
    heaviest = _heaviest(layout.root)
    starts = [w.points[0] for w in piece.wires] if down else []
    groups = [
        _frame(box, [p for p in starts if p[1] in (box.y, box.y + box.h)])
        for box in piece.boxes
        if box.item.open
    ]
    groups += [_wire(wire) for wire in piece.wires]
    groups += [_closed(box, heaviest) for box in piece.boxes if not box.item.open]
    groups.append(Group("", [_shape(label, down) for label in piece.labels]))
    spots = [p for g in groups for m in g.marks for p in _corners(m)]
    low = min(p[0] for p in spots), min(p[1] for p in spots)
    high = max(p[0] for p in spots), max(p[1] for p in spots)
    return groups, low, high


def _corners(mark: Mark) -> Iterator[Point]:
    if isinstance(mark, Rect):
        yield from ((mark.x, mark.y), (mark.x + mark.w, mark.y + mark.h))
    elif isinstance(mark, Line):
        yield from mark.points
    else:
        long = labels.width(mark.text, mark.size, mark.bold)
        left = mark.x - long * {"start": 0.0, "middle": 0.5, "end": 1.0}[mark.anchor]
        yield from ((left, mark.y - mark.size), (left + long, mark.y + 3))


def _shifted(group: Group, dx: float, dy: float) -> Group:
    def move(m: Mark) -> Mark:
        if isinstance(m, Rect):
            return Rect(m.x + dx, m.y + dy, m.w, m.h, m.kind, m.round)
        if isinstance(m, Line):
            return Line(tuple((x + dx, y + dy) for x, y in m.points), m.kind, m.arrow)
        return Text(m.x + dx, m.y + dy, m.text, m.size, m.kind, m.anchor, m.bold)

    return Group(group.title, [move(m) for m in group.marks], group.path)


def _heaviest(root: Item) -> tuple[int, int]:
    return max(b.params for b in root.boxes), max(b.macs for b in root.boxes)


def told(item: Item) -> str:
    """What a pointer on a box tells: paths, layers, shape, cost."""
    own = ", ".join(item.paths if item.block else [n.path for n in item.nodes]) or item.caption
    head = f"{item.caption} · {item.note}" if item.note else item.caption
    cost = f"{counted(item.params, 'parameter')}, {item.macs:,} MACs"
    return f"{own}\n{head}\n→ {labels.shape(item.shape)}\n{cost}"


def _sheets(box: Box, kind: str, corner: float) -> list[Mark]:
    """The box itself, on two sheets more where it stands for a run."""
    steps = (box.behind, box.behind / 2, 0.0) if box.behind else (0.0,)
    return [Rect(box.x + d, box.y + d, box.w, box.h, kind, corner) for d in steps]


def _frame(box: Box, enter: Iterable[Point]) -> Group:
    item = box.item
    assert box.title is not None
    x, y = box.title
    room = min([box.x + box.w, *(p[0] for p in enter if p[0] > x)]) - x - 8
    caption = labels.fitted(item.caption, NOTE, room, bold=True)
    title = Text(x, y + 4, caption, NOTE, "soft", bold=True)
    return Group(told(item), [*_sheets(box, "frame", 8), title], item.paths[0])


def _closed(box: Box, heaviest: tuple[int, int]) -> Group:
    item, group = box.item, Group(told(box.item), path=box.item.paths[0])
    group.marks += _sheets(box, f"{item.family} box", 5.0 if weighty(item) else 13.0)
    group.marks += _weighty(box, heaviest) if weighty(item) else [_small(box)]
    return group


def _small(box: Box) -> Text:
    x, y = box.middle
    item = box.item
    text = f"{item.caption} · {item.note}" if item.note else item.caption
    return Text(x, y + 4, text, CAPTION - 0.5, "ink", "middle")


def _weighty(box: Box, heaviest: tuple[int, int]) -> list[Mark]:
    """A caption, a second line, and two bars: parameters above, multiply-accumulates below."""
    item, room = box.item, box.w - 24
    right = weight(item)
    note = labels.fitted(item.note, NOTE, room - labels.width(right, NOTE) - 4)
    caption = labels.fitted(item.caption, CAPTION, room, bold=True)
    marks: list[Mark] = [
        Rect(box.x + 4, box.y + 4, 3, box.h - 8, f"{item.family} bar", 1.5),
        Text(box.x + 13, box.y + 17, caption, CAPTION, "ink", bold=True),
        Text(box.x + 13, box.y + 31, note, NOTE, "soft"),
        Text(box.x + box.w - 10, box.y + 31, right, NOTE, "soft", "end"),
    ]
    shares = zip((item.params, item.macs), heaviest, ("bar", "pale"), strict=True)
    for i, (part, most, kind) in enumerate(shares):
        if part:
            long = max(1.0, room * part / most)
            y = box.y + 36.5 + 3.5 * i
            marks.append(Rect(box.x + 13, y, long, 2.5, f"{item.family} {kind}"))
    return marks


def _wire(wire: Wire) -> Group:
    kind = "aside" if wire.aside else "wire"
    return Group(", ".join(wire.via), [Line(wire.points, kind, wire.arrow)])


def _shape(label: Label, down: bool) -> Text:
    x, y = label.at
    text = labels.shape(label.shape)
    if label.along == down:
        return Text(x + 6, y + 3.5, text, SHAPE, "shape")
    return Text(x, y - 5, text, SHAPE, "shape", "middle")


def _legend(root: Item, wide: float, y: float) -> tuple[Group, float]:
    """The families in the picture and what the bars mean; and where the legend ends."""
    used = {box.family for box in root.boxes if box.nodes}
    entries = [(f"{name} bar", name, 10.0) for name in labels.FAMILIES[:-1] if name in used]
    params, macs = _heaviest(root)
    entries.append(("ink bar", f"parameters, at most {short(params)}", 26.0))
    entries.append(("ink pale", f"MACs, at most {short(macs)}", 26.0))
    entries.append(("", "numbers: parameters · MACs", 0.0))
    return _entries(entries, wide, y)


def _entries(
    entries: Iterable[tuple[str, str, float]], wide: float, y: float
) -> tuple[Group, float]:  # fmt: skip
    group, x = Group(""), _EDGE
    for kind, text, swatch in entries:
        indent = swatch + 6 if swatch else 0.0
        needed = indent + labels.width(text, NOTE)
        if x + needed > wide - _EDGE and x > _EDGE:
            x, y = _EDGE, y + 18
        high = 10.0 if swatch == 10 else 3.0
        if kind:
            group.marks.append(Rect(x, y - 4 - high / 2, swatch, high, kind, high / 5))
        group.marks.append(Text(x + indent, y, text, NOTE, "soft"))
        x += needed + 12
    return group, y
