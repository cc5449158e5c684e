"""The examples of docs/mistakes.md: each a spec and what `cnndsl check` says of it.

python tests/mistakes.py      writes the present output into the page
"""

import re
from pathlib import Path

import cnndsl
from cnndsl.lints import inspect
from cnndsl.report.diagnostics import full
from cnndsl.source import Source
from cnndsl.style import PLAIN

PAGE = Path(__file__).parent.parent / "docs" / "mistakes.md"
EXAMPLE = re.compile(
    r"^## (?P<title>.+?)$.*?^```cnn\n(?P<spec>.*?)^```\n\n```text\n(?P<said>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def examples() -> dict[str, tuple[str, str]]:
    """Spec and output by title."""
    text = PAGE.read_text(encoding="utf-8")
    return {m["title"]: (m["spec"], m["said"]) for m in EXAMPLE.finditer(text)}


def said_of(spec: str) -> str:
    """What `cnndsl check model.cnn` prints."""
    return full(inspect(Source(spec, "model.cnn"))[1], PLAIN) + "\n"


def diagnostics_of(spec: str) -> list[cnndsl.Diagnostic]:
    """What is found in a spec called model.cnn."""
    return inspect(Source(spec, "model.cnn"))[1]


def _rewritten(match: re.Match[str]) -> str:
    start, end = match.start("said") - match.start(), match.end("said") - match.start()
    return match[0][:start] + said_of(match["spec"]) + match[0][end:]


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(EXAMPLE.sub(_rewritten, page), encoding="utf-8")
