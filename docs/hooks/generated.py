"""Pages that are made from the code: layers, diagnostics, examples, and files beside `docs`."""

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

from cnndsl.api import load
from cnndsl.fields import Word, syntax
from cnndsl.layers import vocabulary
from cnndsl.lints import inspect
from cnndsl.report.diagnostics import full
from cnndsl.report.manual import code_page, code_title, codes, fields_of
from cnndsl.source import Source
from cnndsl.style import PLAIN

ROOT = Path(__file__).parents[2]
SOURCES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
HOME = """

[Ten minutes to a trained network](tutorial.md){ .md-button .md-button--primary }
[The language](language.md){ .md-button }

"""
ORDER = ("input", "conv", "upconv", "pool", "norm", "activation", "dense", "merge")
GROUPS = {
    "E0": "Reading the text",
    "E1": "Names and values",
    "E2": "Shapes",
    "E3": "The network as a whole",
    "E4": "Included files",
    "E5": "The recipe",
    "E6": "The search",
    "E9": "Limits",
    "W0": "The input",
    "W1": "Names without a use",
    "W2": "Training",
    "W3": "Structure",
    "W4": "Borders and strides",
    "W5": "Size and sight",
}
MENDS = {"safe": "`--fix`", "unsafe": "`--fix --unsafe-fixes`", "": ""}
WRONG = re.compile(r"^```cnn wrong (\S+)( times \d+)?\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@cache
def pages() -> dict[str, str]:
    """Every generated page by its place in the site."""
    found = {uri: (ROOT / path).read_text(encoding="utf-8") for uri, path in SOURCES.items()}
    found |= {"layers/index.md": _layer_index()}
    found |= {f"layers/{family}.md": _family(family) for family in _families()}
    found |= {"diagnostics/index.md": _code_index()}
    found |= {f"diagnostics/{code}.md": _code(code) for code in codes()}
    found |= {"examples/index.md": _example_index()}
    return found | {f"examples/{spec.stem}.md": _example(spec) for spec in _specs()}


@cache
def title(uri: str) -> str:
    """The heading of a page of the site."""
    text = pages().get(uri) or (ROOT / "docs" / uri).read_text(encoding="utf-8")
    return text.partition("\n")[0].lstrip("# ")


def _table(titles: str, rows: Iterator[list[str]]) -> str:
    lines = [titles, "|".join("---" for _ in titles.split("|")), *map(" | ".join, rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    return f'<div class="index" markdown>\n\n{table}\n\n</div>\n'


# Layers


@cache
def _families() -> dict[str, list[str]]:
    """Words by the module that holds them."""
    found = dict[str, list[str]]()
    for word, cls in sorted(vocabulary().items()):
        found.setdefault(cls.__module__.rpartition(".")[2], []).append(word)
    return {name: found[name] for name in sorted(found, key=(*ORDER, *sorted(found)).index)}


def _family_title(family: str) -> str:
    doc = sys.modules[f"cnndsl.layers.{family}"].__doc__ or ""
    return re.split(r"[:,.]", doc)[0]


def _layer_index() -> str:
    parts = [
        "# Layers\n",
        "The words of the language, by family. A terminal has the same manual: "
        "`cnndsl layers NAME`.\n",
    ]
    for family, words in _families().items():
        rows = ([f"[`{w}`]({family}.md#{w})", _first_line(vocabulary()[w])] for w in words)
        parts += [f"## [{_family_title(family)}]({family}.md)\n", _table("word | does", rows)]
    return "\n".join(parts)


def _first_line(cls: type[Word]) -> str:
    first = cleandoc(cls.__doc__ or "").splitlines()[0].partition(" Source:")[0]
    return _prose(first).replace("|", "\\|")


def _family(family: str) -> str:
    parts = [f"# {_family_title(family)}", *map(_layer, _families()[family])]
    return "\n\n".join(parts)


def _layer(word: str) -> str:
    cls = vocabulary()[word]
    parts = [f"## `{word}` {{ #{word} }}", f"``` {{ .text .syntax }}\n{syntax(cls)}\n```"]
    parts += map(_paragraph, re.split(r"\n\n+", cleandoc(cls.__doc__ or "")))
    rows = [[f"`{title}`", _prose(text).replace("|", "\\|")] for title, text in fields_of(cls)]
    return "\n\n".join([*parts, _table("field | means", iter(rows))] if rows else parts)


def _paragraph(text: str) -> str:
    """A paragraph of a docstring: an example, formulas, or prose."""
    if text.startswith("    "):
        return f"```cnn\n{cleandoc(text)}\n```"
    if re.match(r"\w+: \(", text):
        formula, named, source = text.replace("`", "").partition(" Source:")
        return f"``` {{ .text .formula }}\n{formula}\n```\n\n{_prose((named + source).strip())}"
    return _prose(text)


def _prose(text: str) -> str:
    """Plain text as Markdown: only what stands in backticks is marked, papers are linked."""
    parts = re.split(r"(`[^`]*`)", text)
    for i in range(0, len(parts), 2):
        escaped = re.sub(r"([*_\[\]<>])", r"\\\1", parts[i])
        parts[i] = re.sub(r"arXiv:([\d.]+\d)", r"[\g<0>](https://arxiv.org/abs/\1)", escaped)
    return "".join(parts)


# Diagnostics


def _groups() -> dict[str, list[str]]:
    found = {start: [code for code in codes() if code.startswith(start)] for start in GROUPS}
    assert sum(map(len, found.values())) == len(codes()), "a code has no group"
    return found


def _code_index() -> str:
    parts = [
        "# Diagnostics\n",
        "Every mistake has a code, and every code a page: what it means, an example that is "
        "wrong and one that is right. A terminal has the same pages: `cnndsl explain CODE`. "
        "E is an error, W a warning; [which warnings you want](../lints.md) is yours to say.\n",
    ]
    for start, members in _groups().items():
        rows = ([f"[`{c}`]({c}.md)", _prose(code_title(c)), MENDS[_mend(c)]] for c in members)
        title = f"## {GROUPS[start]} ({start}…) {{ #{start.lower()} }}\n"
        parts += [title, _table("code | says | mended by `check`", rows)]
    return "\n".join(parts)


def _code(code: str) -> str:
    """The page of `cnndsl explain`, with what `check` says of its wrong examples."""
    title, _, text = code_page(code).partition("\n")
    head = title.removeprefix(f"# {code}: ")
    kind = "An error" if code.startswith("E") else "A warning"
    mend = f" `cnndsl check {MENDS[_mend(code)][1:-1]}` mends it." if _mend(code) else ""
    shown = text if "```cnn file" in text else WRONG.sub(_with_message, text)
    return f"# {code}: {head[0].upper()}{head[1:]}\n\n_{kind}.{mend}_\n{{ .kind }}\n\n{shown}\n"


def _with_message(match: re.Match[str]) -> str:
    if match[2]:
        return match[0]
    said = full(inspect(Source(match[3], "net.cnn"))[1], PLAIN)
    return f"{match[0]}\n```console\n$ cnndsl check net.cnn\n{said}\n```\n"


@cache
def _mend(code: str) -> str:
    """Whether `check` mends the example of a page: safely, unsafely, or not."""
    texts = [m[3] for m in WRONG.finditer(code_page(code)) if not m[2]]
    found = [d.fix for text in texts for d in inspect(Source(text))[1] if d.code == code]
    safe = {fix.safe for fix in found if fix}
    return ("safe" if True in safe else "unsafe") if safe else ""


# Examples


def _specs() -> list[Path]:
    return sorted((ROOT / "specs").glob("*.cnn"))


@cache
def _model(spec: Path) -> Any:
    return load(spec)


def _about(spec: Path) -> str:
    """The first line of a spec's first comment."""
    return _prose(spec.read_text(encoding="utf-8").partition("\n")[0].lstrip("# "))


def _example_index() -> str:
    rows = ([f"[`{s.stem}`]({s.stem}.md)", _about(s), f"{_model(s).params:,}"] for s in _specs())
    return (
        "# Examples\n\nPublished networks, held by tests to their published parameter counts. "
        "`cnndsl check specs/resnet50.cnn` checks one.\n\n" + _table("spec | is | parameters", rows)
    )


def _example(spec: Path) -> str:
    picture = ROOT / "docs" / "img" / f"{spec.stem}.svg"
    parts = [
        f"# {spec.stem}",
        f"```cnn {spec.name}\n{spec.read_text(encoding='utf-8').rstrip()}\n```",
        *([f"![diagram of {spec.stem}](../img/{spec.stem}.svg)"] if picture.exists() else []),
    ]
    return "\n\n".join(parts)


# Navigation


def _layer_navigation() -> list[Any]:
    families = [{_family_title(f): f"layers/{f}.md"} for f in _families()]
    return ["layers/index.md", *families]


def _code_navigation() -> list[Any]:
    groups = [
        {f"{GROUPS[start]}": [{c: f"diagnostics/{c}.md"} for c in members]}
        for start, members in _groups().items()
    ]
    return ["diagnostics/index.md", *groups]


def _example_navigation() -> list[Any]:
    return ["examples/index.md", *({s.stem: f"examples/{s.stem}.md"} for s in _specs())]


def _design_navigation() -> list[Any]:
    notes = sorted((ROOT / "docs" / "design").glob("*.md"))
    return [f"design/{note.name}" for note in notes]


NAVIGATION: dict[str, Callable[[], list[Any]]] = {
    "<layers>": _layer_navigation,
    "<diagnostics>": _code_navigation,
    "<examples>": _example_navigation,
    "<design>": _design_navigation,
}
