"""A word being filled: its class, the values of its fields and where they stand."""

import re
from dataclasses import dataclass, field
from typing import Any

from cnndsl.edits import removal
from cnndsl.fields import Spec, Word, arguments, keys, specs, syntax, usage
from cnndsl.passes.reporter import SpecError
from cnndsl.source import Fix, Span
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
        """The next positional field that nothing is written for, or that takes any number."""
        return next(
            (s for s in arguments(self.cls) if s.name not in self.spans or s.kind == "texts"), None
        )

    def take(self, spec: Spec, span: Span) -> None:
        """Mark a field as written here; SpecError where it is written already."""
        if spec.name in self.spans and spec.kind != "texts":
            before = self.spans[spec.name].text
            message = f"`{spec.title}` is given twice: `{before}` and `{span.text}`"
            raise SpecError("E108", message, span, "keep one of them")
        self.spans[spec.name] = span

    def put(self, spec: Spec, value: Any, span: Span) -> None:
        """Fill a field."""
        self.take(spec, span)
        self.fill(spec, value)

    def fill(self, spec: Spec, value: Any) -> None:
        """Give a field its value, or one more text."""
        if spec.kind == "texts":
            value = (*self.values.get(spec.name, ()), *value)
        self.values[spec.name] = value

    def build(self) -> Any:
        """The word itself; SpecError where a required field is missing."""
        for spec in specs(self.cls):
            if spec.required and spec.name not in self.values:
                message = f"`{self.cls.word}` needs its {spec.name}: {spec.doc}"
                raise SpecError("E105", message, self.span, usage(self.cls))
        return self.cls(**self.values)

    def stretch(self) -> Span:
        """The word with its own items."""
        ends = [s.end for s in self.spans.values() if s.source is self.span.source]
        return Span(self.span.source, self.span.start, max([self.span.end, *ends]))


def surplus(
    binding: Binding, first: Binding, span: Span, value: ast.Expr, channels: Any = None
) -> SpecError:
    """There is no field left for a bare value; `channels` are those at hand, where known."""
    message = f"`{binding.cls.word}` does not take `{span.text}` here"
    hint, fix = _hint(binding, first, value, channels)
    return SpecError("E104", message, span, hint, fix)


_NUMBERS = re.compile(r"[0-9]+(?:[ \t]+[0-9]+){1,2}(?![\w.])")
_LIST = re.compile(r"[0-9.]+(?:[ ,]+[0-9.]+)+(?![\w=])")
_WIDE = 16  # no kernel is as large as that, where another number may be the kernel
Advice = tuple[str, Fix | None]


def _hint(binding: Binding, first: Binding, value: ast.Expr, channels: Any) -> Advice:
    word = binding.cls.word
    if binding.cls.takes_labels:
        return (
            f"name the layer, `e1: conv 64 3x3`, and write `{word} e1`: labels, not numbers",
            None,
        )
    if binding is not first:
        return _behind(binding, first, value)
    if not specs(binding.cls) and value.span.text in ("1", "1x1"):
        return f"write `{word}`", removal(value.span)  # AdaptiveAvgPool2d(1)
    if "lr" in keys(binding.cls) and isinstance(value, ast.Number):
        return f"`{word}` takes `lr=…`", _write(value.span, f"lr={value.span.text}")
    joined = _joined(binding, value, channels)
    return joined or (f"write `{syntax(binding.cls)}`", None)


def _behind(binding: Binding, first: Binding, value: ast.Expr) -> Advice:
    """A value behind a word that followed: `leaky 0.1`, `relu 3x3`."""
    word = binding.cls.word
    if first.free is not None:
        return f"values of `{first.cls.word}` stand before `{word}`", None
    names = list(keys(binding.cls))
    named = ", ".join(f"`{key}=…`" for key in names)
    if len(names) == 1 and isinstance(value, ast.Number):
        return f"`{word}` takes {named}", _write(value.span, f"{names[0]}={value.span.text}")
    return f"`{word}` takes {named}" if named else f"`{word}` takes no value", None


def _write(span: Span, text: str) -> Fix:
    return Fix(span, text, f"write `{text}`")


def _joined(binding: Binding, value: ast.Expr, channels: Any) -> Advice | None:
    """`conv 64 3 3`, `conv 3 64 3x3` and `conv 64 3x3 2`, as they are written here."""
    fields = [spec for spec in arguments(binding.cls) if spec.name in binding.values]
    if not fields:
        return None
    places = [binding.spans[spec.name] for spec in fields]
    last, text, kind = places[-1], value.span.text, fields[-1].kind
    whole = places[0].to(value.span)
    if kind == "shape" and isinstance(value, ast.Number):
        return _shape(places[0])
    if kind == "floats":
        return _list(binding.cls.word, places[-1])
    if kind != "pair" or not isinstance(value, ast.Number | ast.Dims):
        return None
    apart = bool(last.source.text[last.end : value.span.start].strip())
    strided = "stride" in keys(binding.cls) and isinstance(value, ast.Number)
    if strided and (apart or "x" in last.text):
        return f"a stride has a `/`: `/{text}`", _write(value.span, f"/{text}")
    if not last.text.isdigit():
        return None
    if isinstance(value, ast.Dims) or _is_channels(places, text, channels):
        kept = [place.text for place in places[1:]]
        return _channels_known(binding.cls.word, [*kept, text], whole)
    if text == last.text:
        return f"a size is one word: `{text}x{text}`", _write(last.to(value.span), f"{text}x{text}")
    return f"a size is one word, `{last.text}x{text}`; a stride is `/{text}`", None


def _shape(first: Span) -> Advice:
    """`input 3 32 32` as one word."""
    numbers = _NUMBERS.match(first.source.text, first.start)
    if numbers is None:
        return "a shape is one word: `3x32x32`", None
    text = "x".join(numbers[0].split())
    span = Span(first.source, first.start, numbers.end())
    return f"a shape is one word: `{text}`", _write(span, text)


def _list(word: str, first: Span) -> Advice:
    """`multistep 3 6` as one text."""
    numbers = _LIST.match(first.source.text, first.start)
    text = f'"{" ".join(re.split(r"[ ,]+", numbers[0]))}"' if numbers else '"3 6"'
    span = Span(first.source, first.start, numbers.end()) if numbers else first
    return f"several numbers are one text: `{word} {text}`", _write(span, text)


def _is_channels(places: list[Span], text: str, channels: Any) -> bool:
    """Whether the first of three numbers is the input's channels: the last is the kernel then."""
    if len(places) < 2:
        return False
    last = places[-1].text
    known = places[0].text == str(channels) and text != last
    return known or int(last) >= _WIDE > int(text)


def _channels_known(word: str, values: list[str], whole: Span) -> Advice:
    """The values of a layer but the channels that come in, which were written first."""
    text = " ".join(values)
    hint = f"the input's channels are known, leave them out: `{word} {text}`"
    return hint, _write(whole, text)
