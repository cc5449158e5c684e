"""Values for file-level lets, as they are written by hand."""

import re
from collections.abc import Mapping, Sequence
from math import isinf

from cnndsl.source import UserError

_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def parse_settings(pairs: Sequence[str]) -> dict[str, float]:
    """`k=16` to a number by name."""
    return dict(_setting(pair) for pair in pairs)


def written_settings(settings: Mapping[str, float]) -> list[str]:
    """As `parse_settings` reads them: `k=16`, `deep=true`."""
    return [f"{name}={str(value).lower()}" for name, value in settings.items()]


def _setting(pair: str) -> tuple[str, float]:
    name, _, text = pair.partition("=")
    words: dict[str, float] = {"true": True, "false": False}
    if text in words:
        return name, words[text]
    if _NUMBER.fullmatch(text) is None or isinf(float(text)):
        raise UserError(f"--set {pair}: write NAME=NUMBER, such as --set k=16")
    return name, int(text) if text.isdigit() else float(text)
