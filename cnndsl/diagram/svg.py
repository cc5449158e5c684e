"""A scene as SVG: one file, its own style, dark where the reader's page is dark."""

from collections.abc import Iterator
from html import escape

from cnndsl.diagram import palette
from cnndsl.diagram.geometry import Point
from cnndsl.diagram.scene import Group, Line, Mark, Rect, Scene

_CORNER = 7.0


def svg(scene: Scene) -> str:
    """The scene as a standalone SVG document."""
    page = '<rect class="page" width="100%" height="100%"/>'
    return picture(scene, f"<style>{css()}</style>\n{page}")


def picture(scene: Scene, head: str = "") -> str:
    """The scene as an SVG element; `head` comes before its marks."""
    size = f'width="{scene.w:.0f}" height="{scene.h:.0f}" viewBox="0 0 {scene.w:.0f} {scene.h:.0f}"'
    about = escape(clean(f"{scene.name}: {scene.about}"))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cnndsl" {size} role="img">',
        f"<title>{about}</title>",
        *([head] if head else []),
        *filter(None, map(_group, scene.groups)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def css() -> str:
    """The style sheet, for light and for dark pages."""
    plain = (
        f".cnndsl{{max-width:100%;height:auto;font-family:{palette.FONT}}}"
        ".cnndsl .wire,.cnndsl .aside{fill:none;stroke-width:1.3}"
        ".cnndsl .aside{stroke-dasharray:4 3}"
        ".cnndsl .b{font-weight:600}.cnndsl .m{text-anchor:middle}.cnndsl .e{text-anchor:end}"
        ".cnndsl .pale{opacity:.45}"
    )
    return f"{plain}{''.join(_rules(0))}@media(prefers-color-scheme:dark){{{''.join(_rules(1))}}}"


def _rules(dark: int) -> list[str]:
    rules = [f".cnndsl .page{{fill:{palette.PAGE[dark]}}}"]
    rules += [f".cnndsl .box.{k}{{fill:{v[dark]}}}" for k, v in palette.TINT.items()]
    rules += [f".cnndsl .box.{k}{{stroke:{palette.ACCENT[k][dark]}}}" for k in palette.TINT]
    rules += [
        f".cnndsl .{k}.bar,.cnndsl .{k}.pale{{fill:{v[dark]}}}" for k, v in palette.ACCENT.items()
    ]
    rules += [f".cnndsl text.{k}{{fill:{v[dark]}}}" for k, v in palette.INK.items()]
    wire = palette.WIRE[dark]
    return [
        *rules,
        f".cnndsl .wire,.cnndsl .aside{{stroke:{wire}}}.cnndsl .head{{fill:{wire}}}",
        f".cnndsl .frame{{fill:{palette.FRAME[dark]};stroke:{palette.BORDER[dark]}}}",
    ]


def _group(group: Group) -> str:
    inner = "".join(map(_mark, group.marks))
    if not group.title:
        return inner
    data = f' data-path="{escape(clean(group.path))}"' if group.path else ""
    return f"<g{data}><title>{escape(clean(group.title))}</title>{inner}</g>"


def _mark(mark: Mark) -> str:
    if isinstance(mark, Rect):
        size = f'x="{_n(mark.x)}" y="{_n(mark.y)}" width="{_n(mark.w)}" height="{_n(mark.h)}"'
        corner = f' rx="{_n(mark.round)}"' if mark.round else ""
        return f'<rect class="{mark.kind}" {size}{corner}/>'
    if isinstance(mark, Line):
        return _line(mark)
    kinds = f"{mark.kind}{' b' if mark.bold else ''}{_ANCHOR[mark.anchor]}"
    place = f'x="{_n(mark.x)}" y="{_n(mark.y)}" font-size="{_n(mark.size)}"'
    return f'<text class="{kinds}" {place}>{escape(clean(mark.text))}</text>'


_ANCHOR = {"start": "", "middle": " m", "end": " e"}


def _line(line: Line) -> str:
    path = f'<path class="{line.kind}" d="{outline(line.points)}"/>'
    if not line.arrow:
        return path
    corners = " ".join(f"{_n(x)},{_n(y)}" for x, y in head(line.points))
    return f'{path}<polygon class="head" points="{corners}"/>'


def head(points: tuple[Point, ...]) -> tuple[Point, Point, Point]:
    """The triangle at the end of a line."""
    (ax, ay), (x, y) = points[-2:]
    dx, dy = (x > ax) - (x < ax), (y > ay) - (y < ay)
    back = (x - 6 * dx, y - 6 * dy)
    side = (3 * dy, 3 * dx)
    return (x, y), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])


def outline(points: tuple[Point, ...]) -> str:
    """The line as path data."""
    return "".join(f"{code}{' '.join(map(_at, at))}" for code, at in rounded(points))


def rounded(points: tuple[Point, ...]) -> Iterator[tuple[str, tuple[Point, ...]]]:
    """The line as moves, lines and quadratic curves: its corners rounded."""
    yield "M", points[:1]
    for before, here, behind in zip(points, points[1:], points[2:], strict=False):
        r = min(_CORNER, _far(before, here) / 2, _far(here, behind) / 2)
        yield "L", (_towards(here, before, r),)
        yield "Q", (here, _towards(here, behind, r))
    yield "L", points[-1:]


def _far(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(a: Point, b: Point, r: float) -> Point:
    far = _far(a, b) or 1.0
    return a[0] + (b[0] - a[0]) * r / far, a[1] + (b[1] - a[1]) * r / far


def _at(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def clean(text: str) -> str:
    """The text without characters that XML has no room for."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
