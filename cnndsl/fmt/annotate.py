"""Output shapes as comments at the ends of lines."""

import re

from cnndsl.fmt.render import formatted
from cnndsl.fmt.tree import COMMENT, lexemes
from cnndsl.ir import Model
from cnndsl.layers import vocabulary
from cnndsl.shapes import show
from cnndsl.source import Source, Span
from cnndsl.syntax import ast
from cnndsl.syntax.parser import parse
from cnndsl.syntax.walk import walk

_SHAPES = re.compile(r"\s*# \d+(x\d+)*((, | … )\d+(x\d+)*)*$")
_FEW = 3


def annotated(source: Source, model: Model) -> str:
    """The text with `# 64x16x16` behind every line that makes a layer; other comments stay.

    Inside of blocks, a line has the shapes of all its calls; one that does not run has none.
    `source` is formatted already, and `model` is its own.
    """
    lines = source.text.split("\n")
    made = shapes_by_line(source, model)
    for number in sorted({*made, *_layer_lines(source)}):
        bare = _SHAPES.sub("", lines[number - 1])
        if number not in made:
            lines[number - 1] = bare
        elif not _has_comment(bare):
            lines[number - 1] = f"{bare}  # {listed(made[number])}"
    return formatted(Source("\n".join(lines), source.name))


def _layer_lines(source: Source) -> set[int]:
    """Where statements end that make layers when they run."""
    nodes = list(walk(parse(source)[0].body))
    heads = {*vocabulary(), *(node.name.id for node in nodes if isinstance(node, ast.Block))}
    statements = (node for node in nodes if isinstance(node, ast.Statement))
    return {node.span.stop[0] for node in statements if node.head.id in heads}


def _has_comment(line: str) -> bool:
    return any(x.kind == COMMENT for x in lexemes(Source(line)))


def shapes_by_line(source: Source, model: Model) -> dict[int, list[str]]:
    """The last shape of each line, for each way of calls that leads to it."""
    last: dict[tuple[int, tuple[Span, ...]], str] = {}
    for node in model.nodes:
        spans = [frame.span for frame in node.stack] + ([node.statement] if node.statement else [])
        for depth, span in enumerate(spans):
            if span.source is source:
                last[span.stop[0], tuple(spans[:depth])] = show(node.shape)
    found: dict[int, list[str]] = {}
    for (line, _), shape in last.items():
        shapes = found.setdefault(line, [])
        shapes += [shape] if shape not in shapes else []
    return found


def listed(shapes: list[str]) -> str:
    """A few shapes, or the first and the last of many."""
    return ", ".join(shapes) if len(shapes) <= _FEW else f"{shapes[0]} … {shapes[-1]}"
