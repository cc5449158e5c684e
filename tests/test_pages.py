"""Every code of a diagnostic has its page, and what the page shows is true."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import cnndsl
from cnndsl.lints import inspect
from cnndsl.passes.includes import read
from cnndsl.report.manual import PAGES, code_page, code_title, codes

PACKAGE = Path(cnndsl.__file__).parent
FENCE = re.compile(r"^```cnn (.+?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RANGE = re.compile(r"(?P<name>.+) for N in (?P<first>\d+)\.\.(?P<last>\d+)")


@dataclass
class Page:
    """The examples of a page. `wrong` is a text and the place where it is complained of."""

    files: dict[str, str] = field(default_factory=dict[str, str])
    wrong: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    right: list[str] = field(default_factory=list[str])


def page(code: str) -> Page:
    """The examples; the info string of a fence says what each is for."""
    found = Page()
    for info, text in FENCE.findall(code_page(code)):
        kind, _, rest = info.partition(" ")
        if kind == "file":
            found.files |= numbered(rest, text)
        elif kind == "right":
            found.right.append(text)
        else:
            assert kind == "wrong", info
            place, _, times = rest.partition(" times ")
            found.wrong.append((text * int(times or 1), place))
    return found


def numbered(rest: str, text: str) -> dict[str, str]:
    """A file, or one for each N of `part(N).cnn for N in 1..9`."""
    several = RANGE.fullmatch(rest)
    if several is None:
        return {rest: text}
    turns = range(int(several["first"]), int(several["last"]) + 1)
    return {
        several["name"].replace("(N)", str(n)): text.replace("(N+1)", str(n + 1)) for n in turns
    }


def findings(text: str, files: dict[str, str], folder: Path) -> list[cnndsl.Diagnostic]:
    """What is said of a spec in a folder with these files."""
    for name, content in {**files, "spec.cnn": text}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    if len(text) > 200_000:  # too long to be read from a file
        return cnndsl.check(text)
    return inspect(read(folder / "spec.cnn", "spec.cnn"))[1]


def place(diagnostic: cnndsl.Diagnostic) -> str:
    """`3:11`, or `blocks.cnn:3:11` in an included file."""
    span = diagnostic.span
    name = span.source.name
    file = "" if name in ("spec.cnn", "<text>") else f"{name}:"
    return f"{file}{span.line}:{span.column}"


def raised() -> set[str]:
    """Every code that stands in the source."""
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    return {code for text in texts for code in re.findall(r'"([EW]\d{3})"', text)}


def test_every_code_of_the_source_has_a_page_and_every_page_a_code():
    assert set(codes()) == raised()


@pytest.mark.parametrize("code", codes())
def test_a_page_is_short_and_starts_with_its_code(code: str):
    lines = code_page(code).splitlines()
    assert lines[0] == f"# {code}: {code_title(code)}"
    assert 10 <= len(lines) <= 45
    assert max(map(len, lines)) <= 150


@pytest.mark.parametrize("code", codes())
def test_wrong_examples_give_the_code_at_the_place(code: str, tmp_path: Path):
    shown = page(code)
    assert shown.wrong
    for text, where in shown.wrong:
        found = [place(d) for d in findings(text, shown.files, tmp_path) if d.code == code]
        assert found == [where]


@pytest.mark.parametrize("code", codes())
def test_wrong_examples_give_nothing_else(code: str, tmp_path: Path):
    shown = page(code)
    for text, _ in shown.wrong:
        assert {d.code for d in findings(text, shown.files, tmp_path)} == {code}


@pytest.mark.parametrize("code", codes())
def test_right_examples_are_right(code: str, tmp_path: Path):
    shown = page(code)
    assert shown.right
    for text in shown.right:
        assert findings(text, shown.files, tmp_path) == []


def test_pages_are_files_of_the_package():
    assert PAGES.is_relative_to(PACKAGE)
