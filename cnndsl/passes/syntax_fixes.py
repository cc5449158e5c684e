"""Fixes of texts that do not parse: the first rule that fits is done."""

import math
import re
from dataclasses import replace

from cnndsl.edits import without
from cnndsl.fields import arguments
from cnndsl.layers import vocabulary
from cnndsl.passes.loose_keys import mend, section_at
from cnndsl.passes.synonyms import suggest
from cnndsl.passes.syntax_rules import RULES, Spot
from cnndsl.recipe import CHOSEN, PLAIN
from cnndsl.source import Diagnostic, Fix, Source, Span

_MARK = "¦"
_ENDS = "\n;{}|"
_LABEL = re.compile(r"(?:^|[;{|])[ \t]*([A-Za-z_]\w*)[ \t]*:", re.MULTILINE)
_ASSIGNED = re.compile(r"^[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*[a-z]", re.MULTILINE)
_NUMBERED = re.compile(r"(from|add|concat|mul)\s+¦-\s*[0-9]")
_NEGATIVE = re.compile(r"(?:\w+[ \t]*:[ \t]*)?([A-Za-z_]\w*)[ \t]+¦-[ \t]*([0-9.]+)(?![\w.])")
_BY_LABEL = (
    "name the layer that is meant, as in `e1: conv 64 3x3`, and write `{} e1`: labels, not numbers"
)
_LOOP = re.compile(
    r"(?:for|while|repeat)\b(?P<range>[ \t]+\w+[ \t]+in[ \t]+range\([ \t]*[0-9]+[ \t]*\)[ \t]*¦?:)?"
)
_COMMA = re.compile(r",(?![^()]*\))")  # none in parentheses
_REPEAT = "a repeat stands behind its statement: `conv 8 3x3 *3`; several make a `block`"
_MERGE = re.compile(r"\b(?:add|concat|mul)\s*\{[^{}]*$")


def with_fix(d: Diagnostic) -> Diagnostic:
    """A syntax error with the fix of the first rule that fits, and its help if it has one."""
    source = d.span.source
    start, end = _statement(source, d.span.start)
    marked = source.text[start : d.span.start] + _MARK + source.text[d.span.start : end]
    if (label := _NUMBERED.match(marked)) is not None:
        return replace(d, help=_BY_LABEL.format(label[1]))
    if (wrong := _negative(marked)) is not None:
        return replace(d, help=wrong)
    if (joined := _in_same_braces(d)) is not None:
        return replace(d, fix=joined)
    if (loose := _loose_key(d)) is not None:
        return loose
    if (word := _LOOP.match(marked)) is not None and not word["range"]:
        return replace(d, help=_REPEAT)
    labels = frozenset((*_LABEL.findall(source.text), *_ASSIGNED.findall(source.text)))
    merged = _MERGE.search(source.text, 0, start) is not None
    inside = section_at(source, start) is not None
    for pattern, write, hint in RULES:
        match = pattern.search(marked)
        text = write(Spot(match, labels, merged, inside)) if match else None
        if match is None or text is None:
            continue
        first, last = (_place(p, d.span.start - start) + start for p in match.span())
        fix = Fix(Span(source, first, last), text, f"write `{text.strip()}`" if text.strip() else
                  "remove it")  # fmt: skip
        return replace(d, fix=fix, help=hint.format(text.strip()) if hint else d.help)
    return d


def _negative(marked: str) -> str | None:
    """`conv -4 3x3`: what the word takes, where that is nothing negative."""
    found = _NEGATIVE.match(marked)
    cls = found and {**vocabulary(), **PLAIN}.get(found[1])
    spec = next(iter(arguments(cls)), None) if cls else None
    if found is None or spec is None or spec.low is None or spec.low < 0:
        return None
    number, high = float(found[2]), math.inf if spec.high is None else spec.high
    whole = "a positive whole number" if spec.low == 1 else "a whole number of at least 0"
    fits = spec.low <= number <= high and (spec.kind == "float" or number.is_integer())
    what = f"a number of at least {spec.low:g}" if spec.kind == "float" else whole
    example = f": `{found[1]} {found[2]}`" if fits else ""
    return f"`{found[1]}` takes {what}{example}"


def _loose_key(d: Diagnostic) -> Diagnostic | None:
    """`lr=0.001` as a setting: a key of the optimizer."""
    source, place = d.span.source, d.span.start
    if d.span.text not in ("=", ":", "-") or section_at(source, place) is None:
        return None
    found = mend(source, place) or (d.span.text != "-" and _plain_setting(source, place)) or None
    return None if found is None else replace(d, help=found[0], fix=found[1])


def _plain_setting(source: Source, place: int) -> tuple[str, Fix | None] | None:
    """`epochs = 5`, `batch_size=32`, `num_classes=10`."""
    start, end = _statement(source, place)
    if (comma := _COMMA.search(source.text, place, end)) is not None:
        end = comma.start()
    name, value = (source.text[a:b].strip() for a, b in ((start, place), (place + 1, end)))
    span = Span(source, start, start + len(source.text[start:end].rstrip()))
    known = {*PLAIN, *CHOSEN}
    found = suggest("setting", name, known)
    ours = name if name in known else found and found.text
    if ours in known and value:
        text = f"{ours} {value}"
        return f"a setting has no `=`: `{text}`", Fix(span, text, f"write `{text}`")
    leave = found is not None and found.hint.startswith("leave it out")
    return (found.hint, without(span) if leave else None) if found else None


def _in_same_braces(d: Diagnostic) -> Fix | None:
    """`add { a } { b }` as `add { a | b }`."""
    source, at = d.span.source, d.span.start
    before = source.text[:at].rstrip(" \t")
    if not (source.text.startswith("{", at) and before.endswith("}")):
        return None
    return Fix(Span(source, len(before) - 1, at + 1), "|", "write `|`")


def _place(position: int, mark: int) -> int:
    return position - (position > mark)


def _statement(source: Source, place: int) -> tuple[int, int]:
    """Where the statement around a place starts and ends."""
    text = source.text
    start = max(text.rfind(end, 0, place) for end in _ENDS) + 1
    start += len(text[start:place]) - len(text[start:place].lstrip())
    stops = [stop for end in _ENDS if (stop := text.find(end, place)) >= 0]
    comment = text.find("#", place)
    return start, min([*stops, *([comment] if comment >= 0 else []), len(text)])
