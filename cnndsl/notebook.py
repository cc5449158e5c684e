"""Jupyter: `%load_ext cnndsl`, then a spec in a cell behind `%%cnn`.

    %%cnn small --set width=16
    input 3x32x32
    let width = 8
    conv width 3x3 same relu; gap; dense 10

The cell's warnings are shown at their places; a network without errors is bound to the name, or
`model` where none is given, and drawn. A mistake is an exception, so that a notebook that is run as
a whole stops there; the name is unbound then. `use` looks beside the notebook.
"""

import shlex
from keyword import iskeyword
from pathlib import Path
from typing import Any

from cnndsl.api import Model
from cnndsl.lints import inspect
from cnndsl.passes.settings import parse_settings
from cnndsl.report.html import Findings
from cnndsl.source import Failed, Source, UserError


class CellFailed(Failed):
    """A cell has errors. Jupyter shows them as `cnndsl check` does, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext cnndsl` calls."""

    def magic(line: str, cell: str) -> Model:
        return cnn(shell, line, cell)

    shell.register_magic_function(magic, "cell", "cnn")


def cnn(shell: Any, line: str, cell: str) -> Model:
    """Check the cell; bind and return the model.

    CellFailed where the cell has errors, UserError where the line behind `%%cnn` is wrong.
    """
    name, settings = _arguments(line)
    shell.user_ns.pop(name, None)
    model, found = inspect(Source(cell, name, Path.cwd() / f"{name}.cnn"), settings)
    if model is None:
        raise CellFailed(found)
    if found:
        from IPython.display import display  # pyright: ignore  (only where there is IPython)

        display(Findings(found))
    shell.user_ns[name] = Model(model)
    return shell.user_ns[name]


def _arguments(line: str) -> tuple[str, dict[str, float]]:
    """`NAME --set k=16`: both may be missing."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UserError(f"%%cnn {line}: {error}") from None
    pairs, names = list[str](), list[str]()
    while words:
        word = words.pop(0)
        if word == "--set" and words:
            pairs.append(words.pop(0))
        elif word.isidentifier() and not iskeyword(word) and not names:
            names.append(word)
        else:
            raise UserError(f"%%cnn {line}: write %%cnn NAME --set k=16")
    return names[0] if names else "model", parse_settings(pairs)
