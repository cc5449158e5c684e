"""The `train { … }` section to a Recipe, by the same binder as the layers."""

from dataclasses import replace
from typing import Any

from cnndsl.edits import without
from cnndsl.fields import Word
from cnndsl.passes.bind import Binder
from cnndsl.passes.binding import Binding
from cnndsl.passes.loose_keys import mend
from cnndsl.passes.reject_extra import reject_extra_in_setting
from cnndsl.passes.reporter import Reporter, SpecError, unknown_value
from cnndsl.passes.scope import Scope
from cnndsl.passes.synonyms import Suggestion, suggest
from cnndsl.passes.values import evaluate, truth
from cnndsl.recipe import CHOSEN, PLAIN, REPEATED, Recipe, value_of
from cnndsl.source import Span
from cnndsl.syntax import ast


def read_recipe(suite: ast.Suite, scope: Scope, reporter: Reporter) -> Recipe:
    """The recipe of the settings inside `train { … }`, its errors in the reporter."""
    found: dict[str, Any] = {}
    places: dict[str, Span] = {}
    scope = scope.inner()
    for node in suite:
        try:
            _setting(node, scope, reporter, found, places)
        except SpecError as complaint:
            reporter.add(complaint.diagnostic)
    return replace(Recipe(), **found, said=frozenset(found), places=places)


def _setting(
    node: ast.Node,
    scope: Scope,
    reporter: Reporter,
    found: dict[str, Any],
    places: dict[str, Span],
) -> None:
    if not isinstance(node, ast.Statement):
        if isinstance(node, ast.Let):
            scope.values[node.name.id] = unknown_value
        hint = "write settings such as `epochs 10`"
        raise SpecError("E502", "only settings stand in `train`", node.span, hint)
    if node.span.start in scope.file.broken:
        return
    if node.condition is not None and not truth(evaluate(node.condition, scope), node.condition):
        return
    word = node.head.id
    reject_extra_in_setting(node)
    if word in found and word not in REPEATED:
        raise SpecError("E108", f"`{word}` is given twice", node.span, "keep one of them")
    cls, span, items = _meaning(node)
    binder = Binder(reporter, scope, {})
    binder.bindings.append(Binding(cls, span))
    binder.take(items)
    for setting in binder.build():
        value = value_of(setting)
        found[word] = (*found.get(word, ()), value) if word in REPEATED else value
        places[word] = node.span
        if word in REPEATED:
            places[f"{word}:{len(found[word]) - 1}"] = node.span
        places.update((f"{word}.{name}", at) for name, at in binder.bindings[0].spans.items())


def _meaning(
    node: ast.Statement,
) -> tuple[type[Word], Any, tuple[ast.Item, ...]]:
    """The class that a setting fills, and the items that are left for it."""
    word, items = node.head.id, (*node.items, *node.tail)
    if word in PLAIN:
        return PLAIN[word], node.head.span, items
    if word not in CHOSEN:
        raise _unknown(node)
    match items:
        case (ast.Positional(span, ast.Name(_, name)), *rest) if name in CHOSEN[word]:
            return CHOSEN[word][name], span, tuple(rest)
        case (ast.Positional(span, ast.Name(_, name)), *_):
            listed = Suggestion(f"one of {', '.join(CHOSEN[word])}")
            found = suggest(word, name, CHOSEN[word]) or listed
            raise SpecError("E503", f"unknown {word} `{name}`", span, found.hint, found.fix(span))
        case _:
            listed = ", ".join(CHOSEN[word])
            raise SpecError("E105", f"`{word}` needs its name", node.span, f"one of {listed}")


def _unknown(node: ast.Statement) -> SpecError:
    """A setting that is none; perhaps it belongs to an optimizer, a loss or a schedule."""
    name = node.head.id
    message = f"unknown setting `{name}`"
    if (loose := mend(node.span.source, node.span.start)) is not None:
        return SpecError("E501", message, node.head.span, *loose)
    known = {*PLAIN, *CHOSEN}
    found = suggest("setting", name, known)
    if found is None:
        hint = "one of " + ", ".join(sorted({*PLAIN, *CHOSEN}))
        return SpecError("E501", message, node.head.span, hint)
    fix = without(node.span) if found.hint.startswith("leave it out") else None
    return SpecError("E501", message, node.head.span, found.hint, fix or found.fix(node.head.span))
