"""What to write where a layer rejects its input: statements and fields, as text.

A layer knows shapes and words, but not the text around it: a pass puts these into place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cnndsl.shapes import Pair, Shape, short, show


@dataclass(frozen=True)
class Before:
    """A statement before the rejecting one, and the shape that it gives.

    `also` is said of it, behind the help, where the layer takes that shape. It is `safe` where no
    value is lost and none is learned.
    """

    text: str
    gives: Shape
    also: str = ""
    safe: bool = False


@dataclass(frozen=True)
class Field:
    """A field of the layer as it should be written: `groups=4`, `same`."""

    name: str
    text: str


@dataclass(frozen=True)
class Behind:
    """Statements behind each input of a merge, none where the text is empty.

    `otherwise` is another way, as the end of a sentence.
    """

    texts: tuple[str, ...]
    otherwise: str = ""


@dataclass(frozen=True)
class LeaveOut:
    """The statement is of no use here."""


Mend = Before | Field | Behind | LeaveOut


def fitted(x: Shape, goal: Shape) -> str:
    """Statements that bring a tensor to a shape: `conv 64 1x1 /2`; empty where it has it.

    Images become vectors, never the other way.
    """
    if x == goal:
        return ""
    if len(goal) == 1:
        vector = ["gap; flatten" if len(x) == 3 else ""]
        return _joined([*vector, f"dense {goal[0]}" if x[0] != goal[0] else ""])
    step = _ratio(x[1:], goal[1:])
    if _rounded_up(x[1:], step) == goal[1:]:
        return f"conv {goal[0]} 1x1{_stride(step)}"
    return _joined([resized(x[1:], goal[1:]), f"conv {goal[0]} 1x1" if x[0] != goal[0] else ""])


def resized(size: Shape, goal: Shape) -> str:
    """Statements that bring an image to a height and width: `pool 2`, `upsample 2`, `crop 1`."""
    down, up = _ratio(size, goal), _ratio(goal, size)
    if max(down) > 1 and max(up) == 1:
        floor, ceil = _rounded_down(size, down), _rounded_up(size, down)
        rounding = " ceil" if ceil == goal != floor else ""
        rest = "" if rounding else _bordered(floor, goal)
        return _joined([f"pool {short(down)}{rounding}", rest])
    if max(up) > 1 and max(down) == 1:
        size = tuple(n * f for n, f in zip(size, up, strict=True))
        return _joined([f"upsample {short(up)}", _bordered(size, goal)])
    return _bordered(size, goal)


def _bordered(size: Shape, goal: Shape) -> str:
    """Rows and columns cut off or added, on both sides as far as that goes."""
    cut = [max(0, n - m) for n, m in zip(size, goal, strict=True)]
    added = [max(0, m - n) for n, m in zip(size, goal, strict=True)]
    return _joined([_border("crop", *cut), _border("zeropad", *added)])


def _border(word: str, rows: int, columns: int) -> str:
    if not rows and not columns:
        return ""
    if rows % 2 == columns % 2 == 0:
        return f"{word} {short((rows // 2, columns // 2))}"
    sides = {"top": rows // 2, "bottom": rows - rows // 2,
             "left": columns // 2, "right": columns - columns // 2}  # fmt: skip
    return " ".join([word, *(f"{side}={n}" for side, n in sides.items() if n)])


def _joined(statements: Sequence[str]) -> str:
    return "; ".join(text for text in statements if text)


def _ratio(size: Shape, goal: Shape) -> Pair:
    """How many times larger, at least once, on each axis."""
    height, width = (max(1, round(n / max(1, m))) for n, m in zip(size, goal, strict=True))
    return height, width


def _rounded_up(size: Shape, step: Pair) -> Shape:
    return tuple(-(-n // s) for n, s in zip(size, step, strict=True))


def _rounded_down(size: Shape, step: Pair) -> Shape:
    return tuple(n // s for n, s in zip(size, step, strict=True))


def _stride(step: Pair) -> str:
    if step == (1, 1):
        return ""
    return f" /{step[0]}" if step[0] == step[1] else f" stride={show(step)}"
