"""A word being filled: its class, the values of its fields and where they stand."""

from dataclasses import dataclass, field
from typing import Any

from cnndsl.fields import Spec, Word, arguments, keys, specs, syntax
from cnndsl.passes.reporter import SpecError
from cnndsl.source import Span
from cnndsl.syntax import ast


@dataclass
class Binding:
    """One word of a statement. A field whose value failed has a place, but no value."""

    cls: type[Word]
    span: Span
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    labels: list[ast.Name] = field(default_factory=list[ast.Name])

    @property
    def free(self) -> Spec | None:
        """The next positional field that nothing is written for."""
        return next((s for s in arguments(self.cls) if s.name not in self.spans), None)

    def take(self, spec: Spec, span: Span) -> None:
        """Mark a field as written here; SpecError where it is written already."""
        if spec.name in self.spans:
            before = self.spans[spec.name].text
            message = f"`{spec.title}` is given twice: `{before}` and `{span.text}`"
            raise SpecError("E108", message, span, "keep one of them")
        self.spans[spec.name] = span

    def put(self, spec: Spec, value: Any, span: Span) -> None:
        """Fill a field."""
        self.take(spec, span)
        self.values[spec.name] = value

    def build(self) -> Any:
        """The word itself; SpecError where a required field is missing."""
        for spec in specs(self.cls):
            if spec.required and spec.name not in self.values:
                message = f"`{self.cls.word}` needs its {spec.name}: {spec.doc}"
                raise SpecError("E105", message, self.span, f"write `{syntax(self.cls)}`")
        return self.cls(**self.values)

    def stretch(self) -> Span:
        """The word with its own items."""
        ends = [s.end for s in self.spans.values() if s.source is self.span.source]
        return Span(self.span.source, self.span.start, max([self.span.end, *ends]))


def surplus(binding: Binding, first: Binding, span: Span, value: ast.Expr) -> SpecError:
    """There is no field left for a bare value."""
    message = f"`{binding.cls.word}` does not take `{span.text}` here"
    return SpecError("E104", message, span, _hint(binding, first, value))


def _hint(binding: Binding, first: Binding, value: ast.Expr) -> str:
    word = binding.cls.word
    if binding.cls.takes_labels:
        return f"name the layer, `e1: conv 64 3x3`, and write `{word} e1`: labels, not numbers"
    if binding is not first:
        if first.free is not None:
            return f"values of `{first.cls.word}` stand before `{word}`"
        named = ", ".join(f"`{key}=…`" for key in keys(binding.cls))
        return f"`{word}` takes {named}" if named else f"`{word}` takes no value"
    return _joined(binding, value) or f"write `{syntax(binding.cls)}`"


def _joined(binding: Binding, value: ast.Expr) -> str | None:
    """`conv 64 3 3` and `conv 3 64 3x3`, as they are written here."""
    fields = [spec for spec in arguments(binding.cls) if spec.name in binding.values]
    if not fields or not binding.spans[fields[-1].name].text.isdigit():
        return None
    last = binding.spans[fields[-1].name].text
    match fields[-1].kind, value:
        case "pair", ast.Number() if value.span.text == last:
            return f"a size is one word: `{last}x{last}`"
        case "pair", ast.Number():
            size = f"`{last}x{value.span.text}`"
            return f"a size is one word, {size}; a stride is `/{value.span.text}`"
        case "shape", ast.Number():
            return "a shape is one word: `3x32x32`"
        case "pair", ast.Dims() if len(fields) > 1:
            written = f"{binding.cls.word} {last} {value.span.text}"
            return f"the input's channels are known, leave them out: `{written}`"
        case _:
            return None
