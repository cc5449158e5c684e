"""Statements in the order of the data, with labels where a tensor is used again."""

import ast
import re
from dataclasses import dataclass, field, replace

_REFERENCE = re.compile("<([0-9]+)>")  # a tensor whose label is known at the end only
START = 0  # the tensor before the first statement
NOWHERE = ast.Module([], [])
"""The place of what is said of a program as a whole."""


@dataclass(frozen=True)
class Line:
    """A line of a spec in the making, and the call that it is made of."""

    text: str
    node: ast.AST | None = None
    arriving: int | None = None
    """How many channels or features the call is written for."""

    @property
    def word(self) -> str:
        """The first word, behind a label."""
        return re.sub(r"^\w+: ", "", self.text).partition(" ")[0]


@dataclass
class Flow:
    """Lines of a spec in the making. A tensor is the number of the line that gives it."""

    lines: list[Line] = field(default_factory=lambda: [Line("id")])
    here: int = START
    notes: set[str] = field(default_factory=set[str])
    """What is said otherwise here, or left out."""

    def apply(self, text: str, node: ast.AST | None = None, arriving: int | None = None) -> int:
        """Statements onto the tensor at hand; what they give is at hand then."""
        if text:
            self.lines.append(Line(text, node, arriving))
            self.here = len(self.lines) - 1
        return self.here

    def go(self, tensor: int) -> None:
        """Bring a tensor to hand."""
        if tensor != self.here:
            self.lines.append(Line(f"from <{tensor}>"))
            self.here = tensor

    def merge(self, word: str, tensors: list[int], node: ast.AST | None) -> int:
        """`add`, `mul` or `concat` of several tensors."""
        first, *rest = tensors
        if word != "concat" and self.here in rest:
            rest = [first, *(t for t in rest if t != self.here)]
            first = self.here
        self.go(first)
        return self.apply(" ".join([word, *(f"<{tensor}>" for tensor in rest)]), node)

    def shown(self) -> list[Line]:
        """The lines with their labels, `e1` first."""
        return [line for _, line in self.numbered()]

    def numbered(self) -> list[tuple[int, Line]]:
        """The lines with their labels, each with the number of its tensor."""
        used = sorted({int(n) for line in self.lines for n in _REFERENCE.findall(line.text)})
        labels = {tensor: f"e{i + 1}" for i, tensor in enumerate(used)}
        numbered = [(at, line) for at, line in enumerate(self.lines) if at or at in labels]
        return [(at, _labelled(line, labels.get(at), labels)) for at, line in numbered]


def _labelled(line: Line, label: str | None, labels: dict[int, str]) -> Line:
    """A line with its references; its own label is that of its last statement."""
    text = _REFERENCE.sub(lambda found: labels[int(found[1])], line.text)
    before, sign, last = text.rpartition("; ")
    return replace(line, text=f"{before}{sign}{label}: {last}" if label else text)
