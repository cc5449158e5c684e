"""A network as a picture: blocks as groups, shapes on the wires, the cost in the boxes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnndsl.diagram.arrange import arrange
from cnndsl.diagram.scene import Scene, scene
from cnndsl.diagram.svg import svg
from cnndsl.diagram.tree import Item, Opening, tree
from cnndsl.ir import Model
from cnndsl.source import UserError


def diagram(model: Model, depth: int | None = None, down: bool = True) -> str:
    """The model as a standalone SVG document.

    `depth` is how many levels of blocks are opened, by default as many as stay readable; the data
    flow downwards or, without `down`, to the right.
    """
    return svg(Picture(model, depth, down).scene())


@dataclass(frozen=True)
class Picture:
    """What is to be drawn: a model, its depth, the direction of the flow."""

    model: Model
    depth: int | None = None
    down: bool = True

    def root(self) -> Item:
        """The boxes and blocks."""
        return tree(self.model, None if self.depth is None else Opening(self.depth))

    def scene(self, root: Item | None = None) -> Scene:
        """The marks."""
        return scene(self.model, arrange(root or self.root(), self.down))


def _html(p: Picture) -> bytes:
    from cnndsl.diagram.page import page

    return page(p.model, p.depth, p.scene).encode()


def _dot(p: Picture) -> bytes:
    from cnndsl.diagram.text import dot

    return dot(p.root(), p.down).encode()


def _mermaid(p: Picture) -> bytes:
    from cnndsl.diagram.text import mermaid

    return mermaid(p.root(), p.down).encode()


def _drawn(kind: str) -> Callable[[Picture], bytes]:
    def draw(p: Picture) -> bytes:
        from cnndsl.diagram.raster import drawn

        return drawn(p.scene(), kind)

    return draw


FORMATS: dict[str, Callable[[Picture], bytes]] = {
    ".svg": lambda p: svg(p.scene()).encode(),
    ".html": _html,
    ".png": _drawn("png"),
    ".pdf": _drawn("pdf"),
    ".dot": _dot,
    ".mmd": _mermaid,
}
"""The bytes of a file, by its ending."""


def render(picture: Picture, file: Path) -> bytes:
    """The picture in the format of the file's ending; UserError where there is none."""
    ending = file.suffix.lower()
    if ending not in FORMATS:
        raise UserError(f"{file}: a diagram ends in {', '.join(FORMATS)}")
    return FORMATS[ending](picture)
