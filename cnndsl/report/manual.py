"""Manual pages: of layers from their docstrings and fields, of codes from `cnndsl/pages`."""

from inspect import cleandoc
from pathlib import Path

from cnndsl.fields import Spec, Word, nearest, specs, syntax
from cnndsl.layers import vocabulary
from cnndsl.passes.synonyms import suggest
from cnndsl.shapes import show
from cnndsl.source import UserError

PAGES = Path(__file__).parent.parent / "pages"


def layer_page(name: str) -> str:
    """The page of a layer; UserError with the nearest word."""
    layers = vocabulary()
    if name not in layers:
        found = suggest("layer", name, layers)
        hint = found.hint if found else "`cnndsl layers` lists them"
        raise UserError(f"there is no layer `{name}`; {hint}")
    cls = layers[name]
    parts = [syntax(cls), cleandoc(cls.__doc__ or ""), _fields(cls)]
    return "\n\n".join(part for part in parts if part)


def fields_of(cls: type[Word]) -> list[tuple[str, str]]:
    """Each field of a word as it is written, with what it means and its default."""
    return [(spec.title, _describe(spec)) for spec in specs(cls)]


def _fields(cls: type[Word]) -> str:
    rows = fields_of(cls)
    width = max((len(title) for title, _ in rows), default=0)
    return "\n".join(f"  {title:<{width}}  {text}" for title, text in rows)


def _describe(spec: Spec) -> str:
    if spec.required:
        return spec.doc
    default: int | float | str | tuple[int, ...] | None = spec.default
    if default is None or default == 0:
        return spec.doc
    return f"{spec.doc} (default {show(default) if isinstance(default, tuple) else default})"


def layer_list() -> str:
    """Every word with its first line."""
    lines = [
        f"  {word:<10} {(cls.__doc__ or '').strip().splitlines()[0]}"
        for word, cls in sorted(vocabulary().items())
    ]
    return "\n".join(lines)


def codes() -> list[str]:
    """Every code that has a page."""
    return sorted(page.stem for page in PAGES.glob("*.md"))


def code_title(code: str) -> str:
    """What a code stands for: the first line of its page, without the code."""
    return _page(code).splitlines()[0].partition(": ")[2]


def code_page(code: str) -> str:
    """The page of a diagnostic; UserError for an unknown code."""
    wanted = code.upper()
    if wanted not in codes():
        raise UserError(f"there is no diagnostic `{code}`; {_other_code(code)}")
    return _page(wanted)


def _other_code(written: str) -> str:
    """What was probably looked for."""
    if written in vocabulary():
        return f"the manual of the layer is `cnndsl layers {written}`"
    close = nearest(written.upper(), codes())
    return f"did you mean {close}?" if close else "`cnndsl explain` lists them"


def _page(code: str) -> str:
    return (PAGES / f"{code}.md").read_text(encoding="utf-8").rstrip()
