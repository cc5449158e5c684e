"""The `train { … }` section to a Recipe, by the same binder as the layers."""

from dataclasses import replace
from typing import Any

from cnndsl.fields import Word, keys
from cnndsl.passes.bind import Binder
from cnndsl.passes.binding import Binding
from cnndsl.passes.reject_extra import reject_extra_in_setting
from cnndsl.passes.reporter import Reporter, SpecError, unknown_value
from cnndsl.passes.scope import Scope
from cnndsl.passes.synonyms import guess, meant_key
from cnndsl.passes.values import evaluate, truth
from cnndsl.recipe import CHOSEN, PLAIN, Recipe, value_of
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast


def read_recipe(section: ast.Statement, scope: Scope, reporter: Reporter) -> Recipe:
    """The recipe, its errors in the reporter."""
    assert section.group is not None
    found: dict[str, Any] = {}
    places: dict[str, Span] = {}
    scope = scope.inner()
    for node in section.group.branches[0]:
        try:
            _setting(node, scope, reporter, found, places)
        except SpecError as complaint:
            reporter.add(complaint.diagnostic)
    return replace(Recipe(), **found, said=frozenset(found), places=places)


def _setting(
    node: ast.Node, scope: Scope, reporter: Reporter, found: dict[str, Any], places: dict[str, Span]
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
    if word in found:
        raise SpecError("E108", f"`{word}` is given twice", node.span, "keep one of them")
    cls, span, items = _meaning(node)
    binder = Binder(reporter, scope, {})
    binder.bindings.append(Binding(cls, span))
    binder.take(items)
    for setting in binder.build():
        found[word] = value_of(setting)
        places[word] = node.span
        places.update((f"{word}.{name}", at) for name, at in binder.bindings[0].spans.items())


def _meaning(node: ast.Statement) -> tuple[type[Word], Any, tuple[ast.Item, ...]]:
    """The class that a setting fills, and the items that are left for it."""
    word, items = node.head.id, (*node.items, *node.tail)
    if word in PLAIN:
        return PLAIN[word], node.head.span, items
    if word not in CHOSEN:
        raise _unknown(node.head)
    match items:
        case (ast.Positional(span, ast.Name(_, name)), *rest) if name in CHOSEN[word]:
            return CHOSEN[word][name], span, tuple(rest)
        case (ast.Positional(span, ast.Name(_, name)), *_):
            close = guess(name, CHOSEN[word])
            hint = f"did you mean `{close}`?" if close else f"one of {', '.join(CHOSEN[word])}"
            fix = Fix(span, close, f"write `{close}`") if close else None
            raise SpecError("E503", f"unknown {word} `{name}`", span, hint, fix)
        case _:
            listed = ", ".join(CHOSEN[word])
            raise SpecError("E105", f"`{word}` needs its name", node.span, f"one of {listed}")


def _unknown(head: ast.Name) -> SpecError:
    """A setting that is none; perhaps it belongs to an optimizer, a loss or a schedule."""
    known = {*PLAIN, *CHOSEN}
    close, _ = meant_key(head.id, {*known, *_OWNERS})
    owner = _OWNERS.get(close or "")
    hint = f"did you mean `{close}`?" if close else "one of " + ", ".join(sorted(known))
    if close and owner:
        hint = f"it is a key: `{owner} … {close}=…`"
    return SpecError("E501", f"unknown setting `{head.id}`", head.span, hint)


def _key_owners() -> dict[str, str]:
    """Keys such as `lr`, each with the setting that takes it first."""
    owners = dict[str, str]()
    for setting in ("optimizer", "loss", "schedule"):
        for cls in CHOSEN[setting].values():
            owners.update((key, setting) for key in keys(cls) if key not in owners)
    return owners


_OWNERS = _key_owners()
