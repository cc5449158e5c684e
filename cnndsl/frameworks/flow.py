"""Statements in the order of the data, with labels where a tensor is used again."""

import re
from dataclasses import dataclass, field

_REFERENCE = re.compile("<([0-9]+)>")  # a tensor whose label is known at the end only
START = 0  # the tensor before the first statement


@dataclass
class Flow:
    """Lines of a spec in the making. A tensor is the number of the line that gives it.

    `values` are the tensors that Python's variables hold.
    """

    lines: list[str] = field(default_factory=lambda: ["id"])
    values: dict[str, int] = field(default_factory=dict[str, int])
    here: int = START
    notes: set[str] = field(default_factory=set[str])
    """What is said otherwise here, or left out."""

    def apply(self, text: str) -> int:
        """Statements onto the tensor at hand; what they give is at hand then."""
        if text:
            self.lines.append(text)
            self.here = len(self.lines) - 1
        return self.here

    def go(self, tensor: int) -> None:
        """Bring a tensor to hand."""
        if tensor != self.here:
            self.lines.append(f"from <{tensor}>")
            self.here = tensor

    def merge(self, word: str, tensors: list[int]) -> int:
        """`add`, `mul` or `concat` of several tensors."""
        first, *rest = tensors
        if word != "concat" and self.here in rest:
            rest = [first, *(t for t in rest if t != self.here)]
            first = self.here
        self.go(first)
        return self.apply(" ".join([word, *(f"<{tensor}>" for tensor in rest)]))

    def shown(self) -> list[str]:
        """The lines with their labels, `e1` first."""
        used = sorted({int(n) for line in self.lines for n in _REFERENCE.findall(line)})
        labels = {tensor: f"e{i + 1}" for i, tensor in enumerate(used)}
        numbered = [(at, line) for at, line in enumerate(self.lines) if at or at in labels]
        return [_labelled(line, labels.get(at), labels) for at, line in numbered]


def _labelled(line: str, label: str | None, labels: dict[int, str]) -> str:
    """A line with its references; its own label is that of its last statement."""
    line = _REFERENCE.sub(lambda found: labels[int(found[1])], line)
    before, sign, last = line.rpartition("; ")
    return f"{before}{sign}{label}: {last}" if label else line
