"""Where a layer rejects its input, and edits of the text there as one fix."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnndsl.edits import Edit, spliced
from cnndsl.fields import arguments
from cnndsl.ir import Frame, Node
from cnndsl.layers.base import Layer
from cnndsl.layers.mend import Field
from cnndsl.passes.binding import Binding
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast

_SHOWN = 80  # characters of a statement that a help shows whole


@dataclass(frozen=True)
class Spot:
    """A rejecting word with its statement, the network so far, and the positions of its inputs."""

    layer: Layer
    statement: ast.Statement
    binding: Binding
    nodes: Sequence[Node]
    inputs: tuple[int, ...]
    stack: tuple[Frame, ...]

    @property
    def shared(self) -> bool:
        """Whether the statement stands in a block: its text serves other shapes, too."""
        return bool(self.stack)

    def suits(self, *texts: str) -> bool:
        """Whether texts can be written here: in a block no number holds for every call."""
        return not self.shared or not any(sign.isdigit() for text in texts for sign in text)


Advice = tuple[str | None, Fix | None]


def joined(spot: Spot, edits: Sequence[Edit]) -> Fix:
    """All edits as one fix, which changes the network."""
    source, shown = spot.statement.span.source, rewritten(spot, edits)
    start, end = min(e.start for e in edits), max(e.end for e in edits)
    text = spliced(source.text, edits, start, end)
    title = f"write `{shown}`" if shown else "bring the shapes together"
    return Fix(Span(source, start, end), text, title, safe=False)


def fits_a_line(text: str) -> bool:
    """Whether a text can be shown whole."""
    return len(text) <= _SHOWN and "\n" not in text


def rewritten(spot: Spot, edits: Sequence[Edit]) -> str | None:
    """The whole statement with edits; None where it is too long to be shown."""
    span = spot.statement.span
    start, end = min(span.start, *(e.start for e in edits)), span.end
    text = spliced(span.source.text, edits, start, end)
    return text if fits_a_line(text) else None


def of_field(field: Field, word: Binding, whole: Span, behind: str) -> Edit:
    """A field where a stretch has it written, or else behind another one or the whole word."""
    written = word.spans.get(field.name)
    if written is not None and whole.holds(written):
        return Edit(written.start, written.end, _named(written, field, word))
    place = word.spans.get(behind, word.span)
    end = place.end if whole.holds(place) else word.span.end
    return Edit(end, end, f" {field.text}")


def _named(written: Span, field: Field, word: Binding) -> str:
    """A positional field that is written by its name, `k=9`, keeps it."""
    name, sign, _ = written.text.partition("=")
    positional = field.name in {spec.name for spec in arguments(word.cls)}
    return f"{name}={field.text}" if sign and positional else field.text


def before(statement: ast.Statement, text: str) -> Edit:
    """Statements before another one, under its condition."""
    at, condition = statement.span.start, statement.condition
    when = f"  if {condition.span.text}" if condition else ""
    return Edit(at, at, "".join(f"{each}{when}; " for each in text.split("; ")))
