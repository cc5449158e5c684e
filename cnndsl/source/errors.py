"""The two exceptions of the package: errors in a spec, and everything else that users can mend."""

from collections.abc import Sequence

from cnndsl.source.diagnostic import Diagnostic
from cnndsl.source.excerpt import full
from cnndsl.style import PLAIN


class Failed(Exception):  # noqa: N818  (read as: the spec failed)
    """A spec has errors; `diagnostics` holds all of them, and printing it shows them."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        super().__init__(diagnostics)

    def __str__(self) -> str:
        """All of them, as `cnndsl check` shows them."""
        return full(self.diagnostics, PLAIN)


class UserError(Exception):
    """Something outside the spec is wrong (a file, an option, the runtime): exit code 2."""


def printable(text: str, also: str = "") -> str:
    """A text without control and direction-changing characters, which may steer a terminal."""
    return "".join(c if c.isprintable() or c in f"\n{also}" else "\ufffd" for c in text)


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names in a sentence, printable, the first of many: `cat, dog and 8 more`."""
    shown = ", ".join(printable(name) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
