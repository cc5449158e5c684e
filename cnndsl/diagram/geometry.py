"""Pieces of a picture before it is drawn: boxes, frames, wires and labels, in pixels.

A piece is laid out as if the data flowed downwards; the whole is turned at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cnndsl.diagram.plan import Ends
from cnndsl.diagram.tree import Item
from cnndsl.shapes import Shape

Point = tuple[float, float]
Move = Callable[[Point], Point]

SHEETS = 6.0
"""How far the sheets behind a run of equal blocks look out, to the right and below."""


@dataclass(frozen=True)
class Box:
    """An item's rectangle; `title` is where an open block's caption stands."""

    item: Item
    x: float
    y: float
    w: float
    h: float
    title: Point | None = None

    @property
    def behind(self) -> float:
        """How far the sheets behind it look out."""
        return SHEETS if len(self.item.paths) > 1 else 0.0

    @property
    def middle(self) -> Point:
        """The centre."""
        return self.x + self.w / 2, self.y + self.h / 2

    def moved(self, move: Move) -> "Box":
        """The rectangle with its corners moved."""
        (a, b), (c, d) = move((self.x, self.y)), move((self.x + self.w, self.y + self.h))
        title = move(self.title) if self.title else None
        return Box(self.item, min(a, c), min(b, d), abs(c - a), abs(d - b), title)


@dataclass(frozen=True)
class Wire:
    """A drawn link: corners from box to box. `arrow` where it ends at a closed box."""

    points: tuple[Point, ...]
    arrow: bool
    via: tuple[str, ...] = ()
    aside: bool = False


@dataclass(frozen=True)
class Label:
    """A shape on a wire. `along` is whether the wire runs in the direction of the flow there."""

    at: Point
    shape: Shape
    along: bool = True


@dataclass
class Piece:
    """A laid-out part: its size, where the flow enters and leaves, what is in it.

    `open` holds the corners so far of the wires of the group at hand, by link; `after` is the room
    that what follows keeps.
    """

    w: float
    h: float
    enter: float
    leave: float
    boxes: list[Box] = field(default_factory=list[Box])
    wires: list[Wire] = field(default_factory=list[Wire])
    labels: list[Label] = field(default_factory=list[Label])
    open: dict[Ends, list[Point]] = field(default_factory=dict[Ends, list[Point]])
    after: float = 0.0

    def placed(self, dx: float, dy: float) -> "Piece":
        """The piece at another place."""
        moved = self._moved(lambda p: (p[0] + dx, p[1] + dy))
        moved.enter, moved.leave = self.enter + dx, self.leave + dx
        return moved

    def upwards(self) -> "Piece":
        """The piece upside down, for a flow that goes up; sheets stay below their box."""
        turned = self._moved(lambda p: (p[0], self.h - p[1]))
        turned.boxes = [replace(box, y=box.y - box.behind) for box in turned.boxes]
        return turned

    def sideways(self) -> "Piece":
        """The piece with a flow to the right."""
        turned = self._moved(lambda p: (p[1], p[0]))
        turned.w, turned.h = self.h, self.w
        return turned

    def _moved(self, move: Move) -> "Piece":
        return Piece(
            self.w, self.h, self.enter, self.leave,
            [box.moved(move) for box in self.boxes],
            [replace(w, points=tuple(move(p) for p in w.points)) for w in self.wires],
            [replace(label, at=move(label.at)) for label in self.labels],
            {link: [move(p) for p in points] for link, points in self.open.items()},
            self.after,
        )  # fmt: skip

    def take(self, other: "Piece") -> None:
        """Add what is in another piece, which stands in its place; wires grow at their ends."""
        self.boxes += other.boxes
        self.wires += other.wires
        self.labels += other.labels
        for link, points in other.open.items():
            self.open.setdefault(link, []).extend(points)
