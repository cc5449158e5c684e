"""Keys of an optimizer, a loss or a schedule that stand as settings of `train`: `lr 0.1`.

All of a section are mended at once: behind the setting that takes them, or as one of their own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cnndsl.edits import joined, removal, without
from cnndsl.fields import keys
from cnndsl.frameworks.words import lookup
from cnndsl.recipe import CHOSEN, PLAIN
from cnndsl.source import Fix, Source, Span

_PAIR = re.compile(r"([A-Za-z_][\w-]*)[ \t]*[=:]?[ \t]*(\"[^\"\n]*\"|[\w.+-]+)?,?")
_STATEMENT = re.compile(r"[^\n;{}#]+|#[^\n]*")
_SECTION = re.compile(r"\btrain[ \t]*\{")
_FIRST = {"optimizer": ("adam", "sgd"), "loss": ("cross_entropy",), "schedule": ("cosine", "step")}


def _owners() -> dict[str, tuple[str, ...]]:
    """Keys such as `lr`, each with the settings that take it."""
    owners = dict[str, tuple[str, ...]]()
    for setting in ("optimizer", "loss", "schedule"):
        found = {key for cls in CHOSEN[setting].values() for key in keys(cls)}
        owners |= {key: (*owners.get(key, ()), setting) for key in found}
    return owners


OWNERS: Mapping[str, tuple[str, ...]] = _owners()


@dataclass(frozen=True)
class Loose:
    """A key with its value as a statement."""

    span: Span
    key: str
    value: str


def key_of(name: str) -> str | None:
    """The key that a name means, here or in another framework."""
    if name in PLAIN or name in CHOSEN:
        return None
    for kind in ("setting", "key"):
        meaning = lookup(kind, name)
        if meaning is not None and (meaning.counterpart in OWNERS or kind == "setting"):
            return meaning.counterpart if meaning.counterpart in OWNERS else None
    return name if name in OWNERS else None


def section_at(source: Source, place: int) -> tuple[int, int] | None:
    """Start and end of what stands in the braces of the `train` around a place."""
    for match in _SECTION.finditer(source.text):
        end = source.text.find("}", match.end())
        end = len(source.text) if end < 0 else end
        if match.end() <= place <= end:
            return match.end(), end
    return None


def mend(source: Source, place: int) -> tuple[str, Fix | None] | None:
    """The help for a loose key at a place, with the fix of all keys of its owner at the first."""
    section = section_at(source, place)
    statements = list(_statements(source, *section)) if section else []
    here = next((s for s in statements if s.start <= place < s.end), None)
    found = here and _loose(here)
    if found is None:
        return None
    owner = _owner(found.key, statements)
    if owner is None:
        text = f"{found.key}={found.value}"
        return f"it is a key: {' or '.join(f'`{o} … {text}`' for o in OWNERS[found.key])}", None
    loose = [each for each in map(_loose, statements) if each is not None]
    group = [each for each in loose if _owner(each.key, statements) == owner]
    there = next((s for s in statements if re.match(rf"{owner}\b", s.text)), None)
    text = "".join(f" {each.key}={each.value}" for each in group)
    line = f"{there.text}{text}" if there else f"{owner} {_named(owner, group)}{text}"
    complete = all(each.value != "…" for each in group) and _takes(line, group)
    first = complete and found.span == group[0].span
    return f"it is a key: `{line}`", _fix(there, line, text, group) if first else None


def _owner(key: str, statements: list[Span]) -> str | None:
    """The setting that is meant: the only one that takes the key, or the only one that is there."""
    owners = OWNERS[key]
    there = [o for o in owners if any(re.match(rf"{o}\b", s.text) for s in statements)]
    return owners[0] if len(owners) == 1 else there[0] if len(there) == 1 else None


def in_section(source: Source, place: int) -> Fix | None:
    """Settings that stand outside of `train`, with all lines of them in a row, as a section."""
    if _SECTION.search(source.text) is not None:
        return None
    start = source.text.rfind("\n", 0, place) + 1
    before = source.text[:start].rstrip().rpartition("\n")[2]
    if source.text[start:place].strip() or _is_setting(before):
        return None
    lines = list[str]()
    for line in source.text[start:].split("\n"):
        if not _is_setting(line):
            break
        lines.append(line)
    if not lines:
        return None
    text = "\n".join(["train {", *(f"  {line.strip()}" for line in lines), "}"])
    span = Span(source, start, start + len("\n".join(lines)))
    return Fix(span, text, "write `train { … }`")


def _is_setting(line: str) -> bool:
    """Whether a line is one setting, or a key of one."""
    word = re.match(r"[ \t]*([A-Za-z_][\w-]*)[ \t]+[^ \t{;]", line)
    if word is None:
        return False
    meaning = lookup("setting", word[1])
    ours = meaning.counterpart if meaning else word[1]
    return ours in PLAIN or ours in CHOSEN or key_of(word[1]) is not None


def _statements(source: Source, start: int, end: int) -> Iterator[Span]:
    for match in _STATEMENT.finditer(source.text, start, end):
        text = match[0].strip()
        if text and not text.startswith("#"):
            first = match.start() + match[0].index(text)
            yield Span(source, first, first + len(text))


def _loose(span: Span) -> Loose | None:
    match = _PAIR.fullmatch(span.text)
    key = match and key_of(match[1])
    return Loose(span, key, match[2] or "…") if match and key else None


def _named(owner: str, group: list[Loose]) -> str:
    """The first choice that takes all keys."""
    names = (*_FIRST[owner], *CHOSEN[owner])
    wanted = {each.key for each in group}
    return next((n for n in names if wanted <= keys(CHOSEN[owner][n]).keys()), _FIRST[owner][0])


def _takes(line: str, group: list[Loose]) -> bool:
    """Whether the choice of a setting takes all keys."""
    owner, name = [*line.replace("=", " ").split(), ""][:2]
    cls = CHOSEN[owner].get(name.lower())
    return cls is not None and {each.key for each in group} <= keys(cls).keys()


def _fix(there: Span | None, line: str, text: str, group: list[Loose]) -> Fix:
    rest = group if there else group[1:]
    first = Fix(there.at_end(), text, "") if there else Fix(group[0].span, line, "")
    made = joined(sorted([first, *(_gone(each.span) for each in rest)], key=lambda f: f.span.start))
    return Fix(made.span, made.text, f"write `{line}`")


def _gone(span: Span) -> Fix:
    """Remove a statement with the sign that parts it from the others."""
    behind = span.source.text[: span.start].rstrip(" \t").endswith(";")
    return removal(span, between=" \t;") if behind else without(span)
