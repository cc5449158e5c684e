"""The pages of documentation: their fences, and the tables that are derived from the code.

python tests/documents.py      writes the present tables, diagrams and output of quick commands
"""

import ast
import contextlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import click
from helps import TABLE as HELPS
from test_architecture import LAYERING, MODULES, tree

from cnndsl import limits
from cnndsl.api import load
from cnndsl.cli import COMMANDS, group, main
from cnndsl.diagram import diagram
from cnndsl.fields import Spec, Word, specs, syntax
from cnndsl.layers import vocabulary
from cnndsl.recipe import CHOSEN, PLAIN, Recipe
from cnndsl.report.manual import code_page

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUICK = ("check", "fmt", "init", "diff", "layers", "explain", "summary", "graph", "emit")
FENCE = re.compile(r"^```(\w+)[ ]?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"(<!-- (\w+) (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A block of a page. `info` is what stands behind the language, `line` where it starts."""

    language: str
    info: str
    text: str
    line: int


def fences(page: Path, *languages: str) -> list[Fence]:
    """The blocks of a page in some languages."""
    text = page.read_text(encoding="utf-8")
    return [
        Fence(m[1], m[2].strip(), m[3], text.count("\n", 0, m.start()) + 1)
        for m in FENCE.finditer(text)
        if m[1] in languages
    ]


# Console blocks


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """Command and output of each `$ …` of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command.partition("  #")[0].strip(), output.rstrip()


def is_quick(command: str) -> bool:
    """Whether a command is ours and computes nothing."""
    words = command.split()
    return words[0] == "cnndsl" and len(words) > 1 and words[1] in QUICK


def said(command: str) -> str:
    """What a command prints, here and now."""
    out = io.StringIO()
    leaving = contextlib.suppress(SystemExit)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), leaving:
        main(command.split()[1:])
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()


def lay_out(page: Path, folder: Path) -> None:
    """What the commands of a page read: `specs`, and the files that the page names."""
    (folder / "specs").symlink_to(ROOT / "specs")
    for fence in fences(page, "cnn"):
        name = fence.info.split(" ")[-1]
        if name.endswith(".cnn"):
            (folder / name).write_text(fence.text, encoding="utf-8")


def pattern(output: str) -> re.Pattern[str]:
    """An output in which a line `…` stands for any lines."""
    parts = [r".*?" if line == "…" else re.escape(line) for line in output.splitlines()]
    return re.compile(r"\n".join(parts), re.DOTALL)


# Tables


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *([_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _about(cls: type[Word]) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0].partition(" Source:")[0]


def layers(_: str) -> str:
    """Every word of the language, in the order of `cnndsl layers`."""
    rows = [[f"`{syntax(c)}`", _about(c)] for _, c in sorted(vocabulary().items())]
    return _table(["written", "does"], rows)


def settings(_: str) -> str:
    """The plain settings of `train`."""
    defaults = {f.name: getattr(Recipe(), f.name) for f in fields(Recipe)}
    rows = list[list[str]]()
    for word, cls in PLAIN.items():
        value = defaults[word]
        shown = "-" if value is None or isinstance(value, Word) else f"{value}"
        rows.append([f"`{syntax(cls)}`", _about(cls), shown])
    return _table(["setting", "does", "default"], rows)


def chosen(kind: str) -> str:
    """The choices of `loss`, `optimizer` or `schedule`, each with its keys."""
    rows = [
        [f"`{word}`", ", ".join(map(_key, specs(cls))) or "-", _about(cls)]
        for word, cls in CHOSEN[kind].items()
    ]
    return _table([f"`{kind}`", "keys, with their defaults", "does"], rows)


def augment(_: str) -> str:
    """The keys of `augment`."""
    rows = [[_key(spec), spec.doc] for spec in specs(PLAIN["augment"])]
    return _table(["`augment`", "does"], rows)


def _key(spec: Spec) -> str:
    if spec.role == "word":
        return f"`{spec.title}`"
    if spec.role == "arg":
        return f"`<{spec.name}>`"
    if spec.default is None:
        return f"`{spec.title}=…`"
    is_number = isinstance(spec.default, int | float)
    return f"`{spec.title}={spec.default:g}`" if is_number else f"`{spec.title}={spec.default}`"


def options(name: str) -> str:
    """The arguments and options of a command; one of a group is written `weights_show`."""
    found = command(name)
    rows = [_option(p) for p in found.params if isinstance(p, click.Option)]
    return _table(["option", "does"], rows)


def command(name: str) -> click.Command:
    """A command by name; `group` is the program itself."""
    found: click.Command = group
    for part in () if name == "group" else name.split("_"):
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), part)
        assert inner is not None
        found = inner
    return found


def subcommands(part: click.Command) -> Iterator[click.Command]:
    """A command and, where it is a group, those in it."""
    yield part
    if isinstance(part, click.Group):
        yield from part.commands.values()


def _option(option: click.Option) -> list[str]:
    names = ", ".join(f"`{n}`" for n in (*option.opts, *option.secondary_opts))
    if isinstance(option.type, click.Choice):
        names += " " + "\\|".join(option.type.choices)
    elif not option.is_flag:
        names += f" {option.make_metavar(click.Context(group)).partition(' ')[0]}"
    shown = option.show_default and not option.is_flag
    default = f" Default: {option.default}." if shown else ""
    return [names.replace("\\|", "|"), (option.help or "") + default]


_NAMES: dict[str, tuple[str, str]] = {
    "SPEC_BYTES": ("E900", "bytes in one file"),
    "TOKENS": ("E900", "words, numbers, signs and line ends in one file"),
    "INCLUDE_DEPTH": ("E904", "files that include one another, one behind the other"),
    "NESTING": ("E901", "braces, parentheses and block calls inside one another"),
    "LAYERS": ("E903", "layers, counted before they are made"),
    "STEPS": ("E903", "statements that are run, empty blocks included"),
    "DIGITS": ("E902", "digits of a whole number"),
    "NAME": ("E902", "characters of a name"),
    "PARAMETERS": ("E905", "parameters"),
    "ELEMENTS": ("E906", "values of one activation, for one sample; places that one window spans"),
    "ERRORS": ("-", "errors reported in one run; what comes behind them is not worked out"),
}


def bounds(_: str) -> str:
    """Every limit of `cnndsl.limits`, with the code that names it."""
    rows = [
        [f"{getattr(limits, name):,}", what, f"`{code}`" if code != "-" else "-"]
        for name, (code, what) in _NAMES.items()
    ]
    return _table(["at most", "of", "error"], rows)


def helps(_: str) -> str:
    """Wrong lines, their help and what it makes of them."""
    rows = [
        [f"`{' ⏎ '.join(lines)}`", said, f"`{' ⏎ '.join(mended)}`"]
        for lines, (said, mended) in HELPS.items()
    ]
    return _table(["Written", "Help", "With it"], rows)


def house(_: str) -> str:
    """The parts of the package from top to bottom, as the architecture test enforces them."""
    lines = [line.split() for line in LAYERING.split("\n") if line]
    rows = [[" · ".join(f"`{part}`" for part in line), _holds(line)] for line in lines]
    return _table(["part", "what it holds"], rows)


def _holds(parts: list[str]) -> str:
    """The first sentences of the parts' docstrings."""
    texts = [ast.get_docstring(tree(MODULES[part])) or "" for part in parts]
    return " · ".join(re.split(r"[.](?:\s|$)", text)[0] for text in texts)


TABLES: dict[str, Callable[[str], str]] = {
    "layers": layers,
    "settings": settings,
    "chosen": chosen,
    "augment": augment,
    "options": options,
    "bounds": bounds,
    "helps": helps,
    "house": house,
}


def with_tables(text: str) -> str:
    """A page with its derived tables as they are now."""
    return TABLE.sub(lambda m: m[1] + TABLES[m[2]](m[3]) + m[4], text)


# What there is


def commands() -> list[str]:
    """Every command."""
    return list(COMMANDS)


def flags() -> set[str]:
    """Every option of every command, as it is written."""
    parts = [group, *(part for name in commands() for part in subcommands(command(name)))]
    return {
        name
        for part in parts
        for p in (*part.params, *_help(part))
        if isinstance(p, click.Option)
        for name in (*p.opts, *p.secondary_opts)
    }


def _help(part: click.Command) -> list[click.Parameter]:
    found = part.get_help_option(click.Context(part, help_option_names=["-h", "--help"]))
    return [found] if found else []


def limit_codes() -> dict[str, str]:
    """The error code of each limit; its page exists."""
    codes = {name: code for name, (code, _) in _NAMES.items() if code != "-"}
    assert all(code_page(code) for code in codes.values())
    return codes


def _with_outputs(text: str, page: Path) -> str:
    """A page whose quick commands show what they print now; shortened outputs stay."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        lay_out(page, Path(folder))
        os.chdir(folder)
        try:
            return FENCE.sub(_renewed, text)
        finally:
            os.chdir(here)


def _renewed(match: re.Match[str]) -> str:
    if match[1] != "console":
        return match[0]
    parts = re.split(r"^(?=\$ )", match[3], flags=re.MULTILINE)
    return match[0].replace(match[3], "".join(map(_rerun, parts)))


def _rerun(part: str) -> str:
    line = part.partition("\n")[0]
    for asked, shown in sessions(part):
        if is_quick(asked) and shown and "…" not in shown.splitlines():
            return f"{line}\n{said(asked)}\n"
    return part


def diagrams() -> dict[Path, str]:
    """The diagrams of the pages, as they are drawn now."""
    files = sorted((ROOT / "docs" / "img").glob("*.svg"))
    return {file: diagram(load(ROOT / "specs" / f"{file.stem}.cnn").ir) for file in files}


if __name__ == "__main__":
    os.environ |= {"NO_COLOR": "1", "COLUMNS": "100"}
    os.environ.pop("FORCE_COLOR", None)
    for each in (*PAGES, ROOT / "CONTRIBUTING.md"):
        before = each.read_text(encoding="utf-8")
        after = _with_outputs(with_tables(before), each)
        if after != before:
            each.write_text(after, encoding="utf-8")
            print(each)
    for file, drawn in diagrams().items():
        file.write_text(drawn, encoding="utf-8")
