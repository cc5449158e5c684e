"""Settings of the recipe as a `search` section varies them: whole ones, or keys of them."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from cnndsl.fields import Spec, Word, arguments, nearest, specs
from cnndsl.frameworks.words import lookup
from cnndsl.passes.convert import convert
from cnndsl.passes.recipe import read_recipe
from cnndsl.passes.reporter import Reporter, SpecError
from cnndsl.passes.scope import Scope
from cnndsl.passes.search_domain import domain
from cnndsl.passes.synonyms import suggest, suggest_key
from cnndsl.passes.values import evaluate
from cnndsl.recipe import CHOSEN, PLAIN, Recipe
from cnndsl.source import Fix, Source, Span
from cnndsl.space import Choices, Parameter, Range
from cnndsl.syntax import ast
from cnndsl.syntax.parser import parse

FIXED = ("data", "holdout", "ground", "weights", "freeze", "rate", "task", "watch")
"""Settings that make candidates no candidates of the same search."""
_LONE = {"lr": "optimizer"}
"""Keys that are known without their setting, as on the command line."""
VARIED = ({*PLAIN, *CHOSEN} - {*FIXED}) | {*_LONE}
_KINDS = ("int", "float", "flag", "choice")
_NEAR = 0.75  # likeness of a slip


def setting_target(
    node: ast.Statement, recipe: Recipe, above: Mapping[str, Parameter], scope: Scope
) -> tuple[str, Range | Choices]:
    """The name of what is varied, `batch` or `optimizer.lr`, and what over."""
    setting = _LONE.get(node.head.id, node.head.id)
    items = (*node.items, *node.tail)
    _check_quoted(setting, items)
    if setting != node.head.id:
        items = (ast.Positional(node.head.span, node.head), *items)
    classes = _classes(setting, recipe, above)
    match items:
        case (ast.Positional(span, ast.Name(_, key)), *rest) if _is_key(
            key, setting, classes
        ) and not _has_words(rest):
            found = [(c, s) for c in classes for s in [field_of(c, key)] if s is not None]
            if not found:
                raise _unknown_key(setting, key, classes, span)
            return f"{setting}.{key}", domain(node, rest, _reader(found, scope))
        case _:
            if setting not in CHOSEN and (spec := _only(PLAIN[setting])) is not None:
                read = _reader([(PLAIN[setting], spec)], scope)
                return setting, domain(node, items, read)
            return setting, _alternatives(node, setting, items)


def _check_quoted(setting: str, items: Sequence[ast.Item]) -> None:
    """SpecError for `optimizer sgd lr=0.1 adam`, in which words belong together."""
    groups, loose = list[str](), [item for item in items if isinstance(item, ast.Key)]
    for item in items:
        match item:
            case ast.Positional(_, ast.Name(_, word)):
                groups.append(word)
            case ast.Positional(_, ast.Text(_, words)):
                groups.append(words)
            case ast.Key() if groups:
                groups[-1] += f" {item.span.text}"
            case _:
                return
    if loose:
        alone = groups[0].split()[:1] if len(groups) == 1 else []
        text = " ".join(f'"{each}"' if " " in each else each for each in (*alone, *groups))
        message = "words of a setting that belong together stand in quotes"
        raise SpecError("E602", message, loose[0].span, f"write `{setting} {text}`")


def owned_key(name: str) -> str | None:
    """`optimizer decay` for `decay`, for what others call it and for a slip of it; else None."""
    for setting in ("optimizer", "schedule", "loss", "augment"):
        classes: Sequence[type[Word]] = [*CHOSEN.get(setting, {}).values()] or [PLAIN[setting]]
        keys = {s.key or s.name for cls in classes for s in specs(cls) if s.kind in _KINDS}
        other = suggest_key(name, keys)
        meant = name if name in keys else other and other.text
        if meant and (meant == name or _is_near(name, meant)):
            return f"{setting} {meant}"
    return None


def _is_near(name: str, meant: str) -> bool:
    """Whether a key is another's word for it, or a slip of it, rather than some other name."""
    return lookup("key", name) is not None or bool(get_close_matches(name, [meant], 1, _NEAR))


def names_key(node: ast.Node) -> bool:
    """Whether a statement varies a key of a setting: `optimizer lr …`, and not the whole of it."""
    match node:
        case ast.Statement(head=ast.Name(_, word)) if word in _LONE:
            return True
        case ast.Statement(head=ast.Name(_, word), items=(ast.Positional(_, ast.Name(_, key)), *_)):
            return word in PLAIN or (word in CHOSEN and key not in CHOSEN[word])
        case _:
            return False


def field_of(cls: type[Word], key: str) -> Spec | None:
    """The field of an optimizer, a loss, a schedule that a key of the space sets."""
    named = (s for s in specs(cls) if key in (s.key, s.name) or key in s.words[:1])
    return next((s for s in named if s.kind in _KINDS), None)


def _classes(setting: str, recipe: Recipe, above: Mapping[str, Parameter]) -> Sequence[type[Word]]:
    """What a setting may be in this search."""
    if setting in PLAIN:
        return [PLAIN[setting]]
    if setting in above and isinstance(choices := above[setting].domain, Choices):
        known: Mapping[str, type[Word]] = CHOSEN[setting]
        return [known[str(value).split()[0]] for value in choices.values]
    chosen: Word | None = getattr(recipe, setting)
    return [] if chosen is None else [type(chosen)]


def _is_key(name: str, setting: str, classes: Sequence[type[Word]]) -> bool:
    """Whether a first item is a key rather than a word to choose."""
    if setting in CHOSEN:
        return name not in CHOSEN[setting]
    return _only(classes[0]) is None or field_of(classes[0], name) is not None


def _has_words(items: Sequence[ast.Item]) -> bool:
    """Whether any is whole settings in quotes, as what stands before them then is, too."""
    return any(isinstance(i, ast.Positional) and isinstance(i.value, ast.Text) for i in items)


def _only(cls: type[Word]) -> Spec | None:
    """The one value of a setting such as `batch 32`."""
    found = arguments(cls)
    return found[0] if len(found) == 1 else None


def _unknown_key(setting: str, key: str, classes: Sequence[type[Word]], span: Span) -> SpecError:
    if not classes:
        message = f"which {setting} is trained with is not said"
        hint = f"write `{setting} …` in `train`, or vary it: `{setting} a b`"
        return SpecError("E601", message, span, hint)
    words = " and ".join(f"`{cls.word}`" for cls in classes)
    known = {s.key or s.name for cls in classes for s in specs(cls) if s.kind in _KINDS}
    choices = {*known, *CHOSEN.get(setting, ())}
    meant = suggest(setting, key, choices)
    close = (meant and meant.text) or nearest(key, choices)
    hint = f"did you mean `{close}`?" if close else f"one of {', '.join(sorted(choices))}"
    fix = Fix(span, close, f"write `{close}`") if close else None
    return SpecError("E601", f"{words} has no `{key}` to vary", span, hint, fix)


def _reader(found: Sequence[tuple[type[Word], Spec]], scope: Scope) -> Any:
    """Reads the values of a key by the first class that has it, as a spec's are read."""
    cls, spec = found[0]

    def read(expr: ast.Expr) -> Any:
        if spec.kind == "choice" and isinstance(expr, ast.Name):
            return convert(expr.id, spec, expr.span, cls)
        value = evaluate(expr, scope)
        if spec.kind == "flag":
            if isinstance(value, bool):
                return value
            message = f"`{spec.title}` is true or false"
            raise SpecError("E602", message, expr.span, "write `true false`")
        return convert(value, spec, expr.span, cls)

    return read


def _alternatives(node: ast.Statement, setting: str, items: Sequence[ast.Item]) -> Choices:
    """Whole settings, a word each or several in quotes: `sgd "adam lr=0.01"`."""

    def read(expr: ast.Expr) -> str:
        match expr:
            case ast.Name(span, words) | ast.Text(span, words):
                _check_words(setting, words, span)
                return words
            case _:
                known = ", ".join(CHOSEN.get(setting, ())) or f'words: `{setting} "flip crop=4"`'
                message = f"`{expr.span.text}` is no {setting}"
                raise SpecError("E602", message, expr.span, f"one of {known}")

    found = domain(node, items, read)
    assert isinstance(found, Choices)
    return found


def _check_words(setting: str, words: str, span: Span) -> None:
    """SpecError, at this place, for words that a `train` section would not take."""
    file, errors = parse(Source(f"{setting} {words}"))
    reporter = Reporter()
    for error in errors:
        reporter.add(error)
    if not errors:
        read_recipe(file.body, Scope(file), reporter)
    for error in reporter.all:
        raise SpecError(error.code, error.message, span, error.help)
