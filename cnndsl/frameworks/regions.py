"""Where in a spec another framework's code stands, and what it is in our words."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from cnndsl.frameworks import darknet, files, marks, printed
from cnndsl.frameworks.arguments import INIT, NoCounterpart, NotTheirs
from cnndsl.frameworks.framework import TORCH, Context, context_of
from cnndsl.frameworks.inline import inline
from cnndsl.frameworks.pieces import Piece, pieces
from cnndsl.frameworks.program import Program
from cnndsl.frameworks.reading import read
from cnndsl.frameworks.region import Origin, Region
from cnndsl.frameworks.training import named_value
from cnndsl.frameworks.values import Unreadable, parsed
from cnndsl.frameworks.yaml_settings import SECTION, section, setting

_CALL = re.compile(r"(?:[\w., ]+=\s*)?[A-Za-z_][\w.]*\s*\(")
_IMPORT = re.compile(r"(?:import\s+[A-Za-z_]|from\s+[\w.]+\s+import\b)")
_NAMED = re.compile(r"(optimizer|loss|schedule)\s*[:=]?\s*(?=[A-Za-z_][\w.]*\s*\()")
_HINTS = re.compile(
    r"[A-Z]\w*\s*\(|\b(?:compile|fit|add|load_data)\s*\(|\bimport\b"
    r"|[A-Za-z_]\.\w+\s*\(|```|~~~|>>>|^[%!]|^[ \t]*\[net|^[ \t]*-?[ \t]*\[|Output Shape",
    re.MULTILINE,
)
_INPUT_LINE = re.compile(r"(?:[ \t]*(?:#.*)?\n)*[ \t]*input[ \t]+([0-9x]+)[ \t]*(?:#.*)?\n")
_INPUT = re.compile(r"^[ \t]*input[ \t]+([0-9x]+)", re.MULTILINE)
_LONGEST = 200_000  # characters: what is longer is not a model in Python


def regions(text: str) -> list[Region]:
    """All code of other frameworks in a text, in its order; empty for most specs, and at once."""
    if len(text) > _LONGEST or (_HINTS.search(text) is None and ":" not in text):
        return []
    try:
        around = marks.marks(text)
        found = _regions(marks.without(text, around))
        return sorted(marks.with_marks(text, found, around), key=lambda r: r.start)
    except RecursionError:  # expressions nested deeper than any model's
        return []


def _regions(text: str) -> list[Region]:
    text = printed.as_code(text)
    context = context_of(text)
    whole = _whole(text, context) or printed.region(text)
    whole = whole or darknet.region(text) or files.region(text)
    if whole is not None:
        return [whole]
    behind = _behind_input(text, context)
    if behind is not None:
        return [behind]
    found, given = list[Region](), _INPUT.search(text)
    shape = given and given[1]
    for region in _apart([*_sections(text), *_pieces(text, context)]):
        found.append(_without_input(region, shape) if shape else region)
        shape = shape or next(filter(None, map(_shape, region.lines)), None)
    return found


def _behind_input(text: str, context: Context) -> Region | None:
    """A Python program behind an `input` of ours."""
    match = _INPUT_LINE.match(text)
    region = _whole(text[match.end() :], context) if match else None
    if match is None or region is None:
        return None
    start, end = region.start + match.end(), region.end + match.end()
    problems = tuple((a + match.end(), b + match.end(), said) for a, b, said in region.problems)
    origins = tuple(each and each.moved(match.end()) for each in region.origins)
    moved = replace(region, start=start, end=end, problems=problems, origins=origins)
    return _without_input(moved, match[1])


def _sections(text: str) -> Iterator[Region]:
    """Sections of settings in YAML."""
    for match in SECTION.finditer(text):
        lines = section(match)
        if lines is not None:
            start = match.end("indent")
            end = start + len(text[start : match.end()].rstrip())
            yield Region(start, end, tuple(lines), what="settings as YAML has them")


def _apart(found: list[Region]) -> Iterator[Region]:
    """Regions in their order, without those that begin inside of another one."""
    end = 0
    for region in sorted(found, key=lambda r: r.start):
        if region.start >= end:
            yield region
            end = region.end


def _shape(line: str) -> str | None:
    """The shape of an input line."""
    return line.removeprefix("input ") if line.startswith("input ") else None


def _without_input(region: Region, shape: str) -> Region:
    """A region without the input that the spec has already; if it is another one, that is told."""
    other = next((s for s in map(_shape, region.lines) if s not in (None, shape)), None)
    if other is not None:
        message = f"this is for `input {other}`, and the spec has `input {shape}`: keep one of them"
        return replace(region, problems=((region.start, region.end, message),))
    kept = [i for i, line in enumerate(region.lines) if not line.startswith("input ")]
    lines = tuple(region.lines[i] for i in kept)
    return replace(region, lines=lines, origins=tuple(region.origins[i] for i in kept
                                                      if i < len(region.origins)))  # fmt: skip


def _whole(text: str, context: Context) -> Region | None:
    """A text that is a Python program from its first to its last line."""
    tree = parsed(text)
    if tree is None:
        return None
    program = read(tree.body, context)
    if not program.found or program.only_layers or not (program.lines() or program.problems):
        return None
    start = len(text) - len(text.lstrip())
    return _region(text, Piece(start, len(text.rstrip()), text), program, context, at=0)


def _pieces(text: str, context: Context) -> Iterator[Region]:
    """Statements of Python among ours; neighbours that say how to train are read together."""
    waiting = list[Piece]()
    for piece in pieces(text):
        inside = _in_section(text, piece.start)
        kind = _kind(piece, context, inside)
        if kind == "program":
            waiting.append(piece)
            continue
        yield from _together(text, waiting, context)
        waiting = []
        if kind == "named":
            yield from _named(piece, context, inside)
        elif kind == "yaml":
            yield Region(piece.start, piece.end, (setting(piece.text) or "",), what="YAML")
        elif kind == "layer":
            yield from (_alone(region, piece) for region in _together(text, [piece], context))
        else:
            yield from (Region(a, b, (ours,)) for a, b, ours in inline(piece, context))
    yield from _together(text, waiting, context)


def _alone(region: Region, piece: Piece) -> Region:
    """A layer by itself: the start of its weights is said in a note, where Python does not say it.

    A whole model says it once, as `default conv init=glorot_uniform`.
    """
    drawn = next((line for line in region.lines if INIT.search(line)), None)
    if drawn is None or "init" in piece.text:
        return region
    word, init = drawn.split()[0], INIT.findall(drawn)[0].strip()
    note = f"there kernels are drawn by `{init}`; `default {word} {init}` says it for all here"
    return replace(region, lines=tuple(INIT.sub("", line) for line in region.lines), note=note)


def _in_section(text: str, place: int) -> bool:
    """Whether a place is inside of `train { … }`."""
    opened = max(text.rfind("train {", 0, place), text.rfind("train{", 0, place))
    return opened >= 0 and "}" not in text[opened:place]


def _kind(piece: Piece, context: Context, inside: bool) -> str:
    """What a piece is: `layer`, `program`, `named`, `yaml`, or nothing of another framework."""
    if inside and setting(piece.text) is not None:
        return "yaml"
    if _NAMED.match(piece.text):
        return "named"
    if _IMPORT.match(piece.text):
        return "program" if parsed(piece.text) else ""
    if _CALL.match(piece.text) is None and not piece.text.startswith(("class ", "def ", "@")):
        return ""
    tree = parsed(piece.text)
    if tree is None:
        return ""
    program = read(tree.body, context)
    if not program.found:
        return "program" if _is_script(piece.text) else ""
    unknown = any(not message for _, message in program.problems)
    return "" if unknown else "layer" if program.only_layers else "program"


_DRAWN = (
    "PyTorch draws weights and biases within ±1/√inputs; here weights are drawn by `init`, and "
    "biases start at 0"
)
_SCRIPT = re.compile(
    r"(?:\w+\s*=\s*)?(?:print|plt\.\w+|model\.\w+|np\.\w+|tf\.\w+|torch\.\w+)\s*\("
)


def _is_script(text: str) -> bool:
    """`model.summary()`, `print(…)`: Python around a model that says nothing of it."""
    return _SCRIPT.match(text) is not None


def _together(text: str, found: list[Piece], context: Context) -> Iterator[Region]:
    """One region of neighbouring pieces."""
    if not found:
        return
    start, end = found[0].start, found[-1].end
    whole, at = Piece(start, end, text[start:end]), start
    if parsed(whole.text) is None:  # labels, or lines that are indented
        whole, at = Piece(start, end, "\n".join(piece.text for piece in found)), None
    tree = parsed(whole.text)
    if tree is not None:
        yield _region(text, whole, read(tree.body, context), context, at)


def _named(piece: Piece, context: Context, inside: bool) -> Iterator[Region]:
    """`optimizer Adam(1e-3)`, mostly in a section."""
    match = _NAMED.match(piece.text)
    assert match is not None
    tree = parsed(piece.text[match.end() :])
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return
    try:
        text = named_value(match[1], tree.body[0].value, context)
    except NoCounterpart as error:
        yield Region(piece.start, piece.end, (), ((piece.start, piece.end, str(error)),))
    except (NotTheirs, Unreadable):
        return
    else:
        lines = text.split("; ")
        shown = lines if inside else ["train {", *(f"  {line}" for line in lines), "}"]
        yield Region(piece.start, piece.end, tuple(shown))


def _region(text: str, piece: Piece, program: Program, context: Context, at: int | None) -> Region:
    """A piece with its translation, or with its problems where parts have no counterpart."""
    end = piece.end
    if text[end : end + 1] == ",":
        end += 1
    problems = tuple(
        (*_place(piece, node, at), message or "no framework known here has such a call")
        for node, message in program.problems
    )
    made = [] if problems else program.lines()
    lines = tuple(line.text for line in made)
    origins = tuple(
        line.node and Origin(*_place(piece, line.node, at), line.arriving) for line in made
    )
    notes = [_note(lines, context), *program.notes()]
    note = "; ".join(filter(None, notes))
    return Region(piece.start, end, lines, problems, note=note, origins=origins)


def _note(lines: tuple[str, ...], context: Context) -> str:
    """What differs though it is said alike: PyTorch's weights at the start."""
    drawn = any(re.match(r"(conv|dense|upconv) ", line) for line in lines)
    return _DRAWN if drawn and context.frameworks == (TORCH,) else ""


def _place(piece: Piece, node: ast.AST, at: int | None) -> tuple[int, int]:
    """Where a node of the piece's tree stands in the text; the whole piece where that is moot."""
    if at is None or not isinstance(node, ast.expr | ast.stmt):
        return piece.start, piece.end
    starts = [0, *(m.end() for m in re.finditer(r"\n", piece.text))]

    def offset(line: int, column: int) -> int:
        row = piece.text[starts[line - 1] :].partition("\n")[0]
        return at + starts[line - 1] + len(row.encode()[:column].decode(errors="ignore"))

    last = node.end_lineno or node.lineno
    return offset(node.lineno, node.col_offset), offset(last, node.end_col_offset or 0)
