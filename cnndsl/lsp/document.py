"""An open spec at one moment: its text, its model, what is wrong with it, and where things are."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from cnndsl.ir import Model, Node
from cnndsl.lints.base import inspect_file
from cnndsl.lsp.names import Names
from cnndsl.passes.analyse import is_part
from cnndsl.passes.includes import locate, normal, read
from cnndsl.passes.reporter import SpecError
from cnndsl.source import Diagnostic, Source, Span, UserError
from cnndsl.syntax import ast
from cnndsl.syntax.parser import parse


class Document:
    """One version of a text. Everything is worked out when it is first asked for."""

    def __init__(self, text: str, path: Path | None) -> None:
        self.source = Source(normal(text), str(path or "<text>"), path)

    @cached_property
    def _inspected(self) -> tuple[Model | None, list[Diagnostic], ast.File]:
        return inspect_file(self.source)

    @property
    def model(self) -> Model | None:
        """The network, where the spec has no errors."""
        return self._inspected[0]

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """Errors, or else warnings; those of included files stand where they are used."""
        found = self._inspected[1]
        own = [d for d in found if d.span.source is self.source]
        if is_part(self.file):
            own = [d for d in own if d.code != "E301"]
        others = (d for d in found if d.span.source is not self.source and d.severity == "error")
        return own + [self._brought_in(d) for d in others]

    def _brought_in(self, d: Diagnostic) -> Diagnostic:
        """An error of another file, at the first `use`."""
        uses = [node for node in self.file.body if isinstance(node, ast.Use)]
        name = Path(d.span.source.name).name
        near = [node for node in uses if Path(node.path.value).name == name] or uses
        span = near[0].path.span if near else Span(self.source, 0, 0)
        place = f"{d.span.source.name}:{d.span.line}:{d.span.column}"
        return replace(d, span=span, message=f"{place}: {d.message}", fix=None)

    @property
    def file(self) -> ast.File:
        """The syntax tree of all that can be understood."""
        return self._inspected[2]

    @cached_property
    def names(self) -> Names:
        """Who defines and who uses the names of the file."""
        return Names(self.file, self._used)

    @property
    def _used(self) -> Iterator[ast.File]:
        """The files that it uses and those that they use, as far as they can be read."""
        waiting, seen = [self.file], {self.source.path}
        root = self.source.path.parent if self.source.path else None
        while waiting:
            file = waiting.pop()
            for node in (node for node in file.body if isinstance(node, ast.Use)):
                try:
                    path = locate(node, file.source, root)
                    if path in seen:
                        continue
                    seen.add(path)
                    waiting.append(parse(read(path))[0])
                except (SpecError, UserError):
                    continue
                yield waiting[-1]

    def offset(self, line: int, units: int) -> int:
        """The place of a line and a column in UTF-16 units, both from 0, as editors count."""
        line = min(line, len(self.source.line_starts) - 1)
        start, text = self.source.line_starts[line], self.source.line(line + 1)
        at = 0
        while at < len(text) and units > 0:
            units -= 1 + (ord(text[at]) > 0xFFFF)
            at += 1
        return start + at

    def position(self, offset: int) -> tuple[int, int]:
        """The opposite of `offset`."""
        line, column = self.source.place(offset)
        before = self.source.line(line)[: column - 1]
        return line - 1, sum(1 + (ord(c) > 0xFFFF) for c in before)

    def nodes_at(self, offset: int) -> list[Node]:
        """The layers whose words stand at a place: several where a block is called often."""
        if self.model is None:
            return []
        found = [n for n in self.model.nodes if self._covers(n.span, offset)]
        shortest = min((n.span.end - n.span.start for n in found), default=0)
        return [n for n in found if n.span.end - n.span.start == shortest]

    def _covers(self, span: Span, offset: int) -> bool:
        return span.source is self.source and span.start <= offset <= span.end
