"""Settings as YAML has them: `train:` with `epochs: 10` below, or behind it."""

import re
from collections.abc import Iterable

from cnndsl.frameworks.words import lookup
from cnndsl.recipe import CHOSEN, PLAIN

SECTION = re.compile(
    r"^(?P<indent>[ \t]*)(?:train|training|trainer|hyperparameters)[ \t]*:[ \t]*(?P<rest>[^\n#]*)"
    r"(?P<below>(?:\n(?P=indent)[ \t]+[^\n]*)*)",
    re.MULTILINE,
)
_PAIR = re.compile(r"[\"']?([A-Za-z_][\w-]*)[\"']?[ \t]*:[ \t]*(.*)")
_SPACED = re.compile(r"([A-Za-z_]\w*)[ \t]+(\S+)")
_NAMES = ("name", "type", "class", "algorithm", "policy")


def section(match: re.Match[str]) -> list[str] | None:
    """`train { … }` of a section in YAML; None where it is something else."""
    rest = match["rest"].strip().strip("{}")
    pairs = [_pair(part) or _spaced(part) for part in re.split(r"[,;]", rest) if part.strip()]
    pairs += [_pair(line) or _spaced(line) for line in match["below"].splitlines() if line.strip()]
    found = [pair for pair in pairs if pair is not None]
    if not found or len(found) < len(pairs):
        return None
    lines = settings(found)
    return ["train {", *(f"  {line}" for line in lines), "}"] if lines else None


def setting(text: str) -> str | None:
    """`epochs 10; batch 8` of `epochs: 10, batch: 8`; None of a lone key, and of no settings."""
    found = [pair for pair in map(_pair, text.split(",")) if pair is not None and pair[1]]
    lone_key = len(found) == 1 and _ours(found[0][0]) not in (*PLAIN, *CHOSEN)
    lines = settings(found) if len(found) == text.count(",") + 1 and not lone_key else None
    return "; ".join(lines) if lines else None


def _pair(line: str) -> tuple[str, str] | None:
    match = _PAIR.fullmatch(line.partition("#")[0].strip().rstrip(","))
    return (match[1], match[2].strip().strip("\"'")) if match else None


def _spaced(text: str) -> tuple[str, str] | None:
    """`epochs 5` behind `train:`."""
    match = _SPACED.fullmatch(text.strip())
    return (match[1], match[2]) if match else None


def settings(pairs: Iterable[tuple[str, str]]) -> list[str] | None:
    """Settings in our words; keys of an optimizer behind it, one without value opens its keys."""
    found = dict[str, str]()
    keys = dict[str, str]()
    owner = ""
    for name, value in pairs:
        if name in _NAMES and owner:
            found[owner] = f"{owner} {_choice(owner, value)}"
            continue
        ours = _ours(name)
        if ours in CHOSEN and not value:
            owner = ours
        elif ours in PLAIN or ours in CHOSEN:
            found[ours] = f"{ours} {_choice(ours, value)}"
        elif ours is None:
            return None
        elif ours:
            keys[ours] = value
    if keys:
        start = found.get("optimizer", "optimizer adam")
        found["optimizer"] = start + "".join(f" {key}={value}" for key, value in keys.items())
    return list(found.values())


def _ours(name: str) -> str | None:
    """Our setting or key; an empty text for what is left out, None for what is neither."""
    if name in PLAIN or name in CHOSEN:
        return name
    for kind in ("setting", "key"):
        meaning = lookup(kind, name)
        if meaning is not None:
            return meaning.counterpart or ""
    return name if name in ("lr", "momentum", "decay", "eps") else None


def _choice(setting: str, value: str) -> str:
    if setting not in CHOSEN:
        return value
    meaning = lookup(setting, value)
    return meaning.counterpart if meaning and meaning.counterpart else value.lower()
