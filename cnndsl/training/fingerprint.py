"""What a run must have in common with its checkpoint, so that going on means what it says."""

import ast
import difflib
from dataclasses import fields
from typing import Any
from warnings import catch_warnings

from cnndsl.data.dataset import Dataset
from cnndsl.ir import Model
from cnndsl.recipe import CHOSEN, PLAIN, Recipe
from cnndsl.source import UserError, option
from cnndsl.version import version

_LINES = 12
_CLASSES: dict[str, Any] = {
    cls.__name__: cls for kinds in (PLAIN, *CHOSEN.values()) for cls in kinds.values()
}
_LATER = {
    "task": "Classification()", "watch": "None", "freeze": "()", "rate": "()", "holdout": "None",
    "ground": "None",
}  # fmt: skip
"""Settings that earlier versions had not."""
_OTHERWISE = ("data", "weights")  # known by their content, and by what has become of them


def fingerprint(model: Model, recipe: Recipe, data: Dataset) -> dict[str, str]:
    """Version, spec, data and each setting of the recipe, as the manifest keeps them.

    The data are known by their content: the same ones at another place are the same.
    """
    settings = [f.name for f in fields(recipe) if f.compare and f.name not in _OTHERWISE]
    return {
        "version": version(),
        "spec": whole_spec(model),
        "set": " ".join(f"{name}={value}" for name, value in sorted(model.settings.items())),
        "data": data.fingerprint(),
        **{name: repr(getattr(recipe, name)) for name in settings},
    }


def whole_spec(model: Model) -> str:
    """The spec's text and, behind it, the texts of the files that it uses."""
    return "\n".join(
        [model.source.text, *(f"# {name}\n{text}" for name, text in model.used.items())]
    )


def check_same(before: dict[str, Any], now: dict[str, str]) -> None:
    """UserError with every difference, where there is one. More epochs only extend a run."""
    before = {key: _current(text) for key, text in (_LATER | before).items()}
    changed = [key for key in now if before.get(key) != now[key]]
    if "epochs" in changed and int(now["epochs"]) > planned_epochs(before):
        changed.remove("epochs")
    if changed:
        shown = "\n".join(_difference(key, before.get(key, "unknown"), now[key]) for key in changed)
        raise UserError(f"the run was made with another {', '.join(changed)}\n{shown}\n"
                        f"  {option('force', True)} resumes all the same")  # fmt: skip


def planned_epochs(stored: dict[str, Any]) -> int:
    """How many epochs a run with such a fingerprint is to have."""
    return int(stored["epochs"])


def _current(text: Any) -> Any:
    """A setting as it is told today: earlier versions told of fewer keys, which had no others."""
    try:
        call = ast.parse(text, mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            named = {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
            with catch_warnings(action="ignore", category=DeprecationWarning):
                return repr(_CLASSES[call.func.id](**named))
    except (SyntaxError, ValueError, TypeError, KeyError):
        pass
    return text


def _difference(key: str, before: str, now: str) -> str:
    if "\n" not in before + now:
        return f"  {key}: was {before}\n  {key}: now {now}"
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), "was", "now", "", "", 0, "")
    shown = list(lines)[2:]
    more = [f"  {key}: … and more"] if len(shown) > _LINES else []
    return "\n".join([*(f"  {key}: {line}" for line in shown[:_LINES]), *more])
