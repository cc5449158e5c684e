"""Arguments of the public functions that there are none of: which one was meant."""

from collections.abc import Collection
from typing import Any

from cnndsl.fields import flags, keys
from cnndsl.passes.slips import guess
from cnndsl.passes.synonyms import suggest
from cnndsl.recipe import CHOSEN, Augment

_MEANT = {
    "validation_data": "`data=(x, y, x_test, y_test)` holds them, too",
    "x": "`data=(x, y)` takes arrays",
    "y": "`data=(x, y)` takes arrays",
    "verbose": '`progress="none"` shows nothing',
    "gpu": '`device="cuda"` computes on a GPU',
}
_USUAL = {  # not the first that takes it
    "lr": "optimizer adam",
    "momentum": "optimizer sgd",
    "patience": "schedule plateau",
}
_IN_PYTHON = {
    "it is an option, `cnndsl train --device cuda`": "it is an argument, `device='cuda'`",
    "it is an option, `cnndsl train --resume`": "`cnndsl.resume` goes on with a run",
    "it is an option of `cnndsl train`": "`threads=2` says how many compute",
    "`precision fp16`": '`precision="fp16"`',
}


def unknown_argument(
    name: str, value: Any, settings: Collection[str], arguments: Collection[str]
) -> str:
    """That an argument is unknown, and what to write: by its meaning elsewhere, or as a slip."""
    hint = _hint(name, value, settings, arguments)
    if hint is None:
        hint = f"settings are {', '.join(settings)}"
    return f"a recipe has no {name}\n  {hint}"


def _hint(
    name: str, value: Any, settings: Collection[str], arguments: Collection[str]
) -> str | None:
    if name in _MEANT:
        return _MEANT[name]
    owner = _owner(name, value)
    found = None if owner else suggest("setting", name, [*settings, *_owners()])
    if found is not None and found.text in _owners():
        return _owner(found.text, value)
    if owner or found:
        return owner or _python(found.hint if found else "")
    close = guess(name, arguments)
    return close and f"did you mean `{close}`?"


def _python(hint: str) -> str:
    for command, python in _IN_PYTHON.items():
        hint = hint.replace(command, python)
    return hint


def _owners() -> dict[str, str]:
    """Keys such as `lr`, each with the setting and the word that usually take it."""
    found = dict[str, str]()
    for setting in ("optimizer", "loss", "schedule"):
        for word, cls in CHOSEN[setting].items():
            for key in keys(cls):
                found.setdefault(key, f"{setting} {word}")
    return found | _USUAL


def _owner(name: str, value: Any) -> str | None:
    """How a key of an optimizer, a loss or a schedule is given, or a change of `augment`."""
    shown = value if isinstance(value, int | float | str) else "…"
    if name in flags(Augment):
        return f'it is a part of a setting: `augment="{name}"`'
    if name in keys(Augment):
        return f'it is a part of a setting: `augment="{name}={shown}"`'
    if name not in _owners():
        return None
    setting, word = _owners()[name].split()
    return f'it is a part of a setting: `{setting}="{word} {name}={shown}"`'
