"""Values for file-level lets, as they are written by hand."""

from collections.abc import Sequence

from cnndsl.source import UserError


def parse_settings(pairs: Sequence[str]) -> dict[str, float]:
    """`k=16` to a number by name."""
    return dict(_setting(pair) for pair in pairs)


def _setting(pair: str) -> tuple[str, float]:
    name, _, text = pair.partition("=")
    words: dict[str, float] = {"true": True, "false": False}
    try:
        number = words[text] if text in words else int(text) if text.isdigit() else float(text)
    except ValueError:
        raise UserError(f"--set {pair}: write NAME=NUMBER, such as --set k=16") from None
    return name, number
