"""Colours of messages, or none, and how wide they may be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Wraps text in ANSI codes where `color` is on; lines of a spec are cut to `width` columns."""

    color: bool = False
    width: int = 160

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def bold(self, text: str) -> str:
        """Bold."""
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        """The margin with line numbers."""
        return self._wrap("34", text)

    def good(self, text: str) -> str:
        """Help and success."""
        return self._wrap("1;32", text)

    def severity(self, severity: str, text: str) -> str:
        """Red for errors, yellow for warnings."""
        return self._wrap("1;31" if severity == "error" else "1;33", text)


PLAIN = Style()
