"""`search { … }` and `--vary` to a Space: what is varied, what is kept, what is looked for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnndsl import tasks
from cnndsl.fields import nearest
from cnndsl.passes.reject_extra import reject_extra_in_setting
from cnndsl.passes.reporter import Reporter, SpecError
from cnndsl.passes.scope import Scope
from cnndsl.passes.search_domain import let_domain
from cnndsl.passes.search_setting import FIXED, VARIED, names_key, owned_key, setting_target
from cnndsl.passes.values import evaluate, truth
from cnndsl.recipe import Recipe
from cnndsl.source import Fix, Span
from cnndsl.space import MEASURES, SIGNS, Choices, Limit, Parameter, Range, Space
from cnndsl.syntax import ast
from cnndsl.syntax.search_slips import option_hint
from cnndsl.syntax.walk import names

_LIMIT = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?([A-Za-z]*)")
_MOST_GOALS = 2
_GOALS = ("maximize", "maximise", "minimize", "minimise", "objective", "direction", "metric")


def read_search(
    suites: Sequence[tuple[ast.Suite, ast.File]],
    scope: Scope,
    recipe: Recipe,
    lets: Mapping[str, Any],
    reporter: Reporter,
) -> Space:
    """The space of several sections, later ones above earlier ones; its errors in the reporter.

    `lets` are the values of the file's own level, by name.
    """
    whole = Space()
    for suite, file in suites:
        reader = _Reader(scope.inner(), recipe, lets, whole)
        for node in sorted(suite, key=names_key):  # their settings first, which say what keys are
            try:
                if node.span.start not in file.broken:
                    reader.read(node)
            except SpecError as error:
                reporter.add(error.diagnostic)
        whole = reader.above(whole)
    return whole


@dataclass
class _Reader:
    """One section, statement by statement."""

    scope: Scope
    recipe: Recipe
    lets: Mapping[str, Any]
    before: Space
    parameters: dict[str, Parameter] = field(default_factory=dict[str, Parameter])
    limits: dict[str, Limit] = field(default_factory=dict[str, Limit])
    goals: list[str] = field(default_factory=list[str])

    def read(self, node: ast.Node) -> None:
        """One statement."""
        if not isinstance(node, ast.Statement):
            message = "only what is varied, kept and looked for stands in `search`"
            raise SpecError("E502", message, node.span, "write `width 16 to 64`")
        reject_extra_in_setting(node)
        word = node.head.id
        is_let = word in self.lets
        if word == "keep" and (_is_limit(node) or not is_let):
            self._keep(node)
        elif word == "goal" and not is_let:
            self._goal(node)
        else:
            self._vary(node)

    def above(self, before: Space) -> Space:
        """What this section says, above what was said before."""
        mine = self.parameters
        kept = [p for p in before.parameters if p.name not in mine]
        parameters = sorted((*kept, *mine.values()), key=lambda p: bool(p.key))
        limits = [x for x in before.limits if x.side not in self.limits] + [*self.limits.values()]
        return Space(tuple(parameters), tuple(limits), tuple(self.goals) or before.goals)

    # What is varied

    def _vary(self, node: ast.Statement) -> None:
        name, domain = self._domain(node)
        if name in self.parameters:
            raise SpecError("E108", f"`{name}` is varied twice", node.span, "keep one of them")
        self._check_condition(node, name)
        is_let, own = name in self.lets, self.lets.get(name)
        self.parameters[name] = Parameter(name, domain, is_let, node.span, node.condition, own)

    def _domain(self, node: ast.Statement) -> tuple[str, Range | Choices]:
        items, word = (*node.items, *node.tail), node.head.id
        if word in self.lets:
            return word, let_domain(node, items, self.lets[word], self.scope)
        if word not in VARIED:
            raise self._unknown(node.head)
        return setting_target(node, self.recipe, self._above(), self.scope)

    def _above(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.before.parameters} | self.parameters

    def _unknown(self, name: ast.Name) -> SpecError:
        if (other := option_hint(name.id)) is not None:
            raise SpecError("E601", f"`{name.id}` is nothing to vary", name.span, other)
        if name.id in _GOALS:
            raise _directed("E601", name.span)
        if name.id in FIXED:
            message = f"`{name.id}` is the same for all candidates"
            return SpecError("E601", message, name.span, "say it in `train`")
        if (full := owned_key(name.id)) is not None:
            message = f"`{name.id}` is a key of a setting"
            fix = Fix(name.span, full, f"write `{full}`")
            return SpecError("E601", message, name.span, f"write `{full} …`", fix)
        known = [*self.lets, *VARIED]
        values = ", ".join(sorted(self.lets)) or "none"
        message = f"there is no `let {name.id}` and no setting `{name.id}` to vary"
        return _misspelt("E601", message, name.span, known, f"the file's `let`s: {values}")

    def _check_condition(self, node: ast.Statement, name: str) -> None:
        """SpecError where a condition asks for what is not varied above, or is none."""
        if node.condition is None:
            return
        above = {other: p for other, p in self._above().items() if other != name}
        known = {*above, *_words(above)}
        for asks in sorted(names(node.condition) - known):
            message = f"`{asks}` is not varied above"
            hint = "put what a condition asks for above it"
            hint = f"a condition may ask for {', '.join(sorted(known))}" if known else hint
            raise SpecError("E604", message, node.condition.span, hint)
        holds(node.condition, {p.name: _first(p) for p in above.values()}, above)

    # What is kept

    def _keep(self, node: ast.Statement) -> None:
        match node.items:
            case (
                ast.Positional(_, ast.Name() as name),
                ast.Positional(at, ast.Text(_, sign)),
                ast.Positional(place, ast.Text(_, limit)),
            ):
                bound = _bound(name, sign, at, limit, place)
            case _:
                hint = "write `keep params < 100k`"
                raise SpecError("E603", "`keep` takes a measure and its bound", node.span, hint)
        text = f"{name.id} {sign} {limit}"
        limit = Limit(name.id, sign, bound, text, node.span)
        if limit.side in self.limits:
            message = f"`{name.id}` is bounded twice"
            raise SpecError("E108", message, node.span, "keep one of them")
        self.limits[limit.side] = limit

    # What is looked for

    def _goal(self, node: ast.Statement) -> None:
        known = _columns()
        for span in (item.span for item in node.items):
            if span.text in _GOALS:
                raise _directed("E605", span)
            if span.text not in known:
                raise _misspelt("E605", f"unknown goal `{span.text}`", span, known)
            if span.text in self.goals:
                raise SpecError("E108", f"`{span.text}` is given twice", span, "keep one")
            self.goals.append(span.text)
        if not 0 < len(self.goals) <= _MOST_GOALS:
            hint = "write `goal val_accuracy` or `goal val_accuracy macs`"
            raise SpecError("E605", "there is one goal, or there are two", node.span, hint)


def holds(
    condition: ast.Expr, values: Mapping[str, Any], parameters: Mapping[str, Parameter]
) -> bool:
    """Whether a condition holds where these parameters have been chosen.

    The words of settings stand for themselves. One that asks for a parameter that is not varied in
    this candidate does not hold.
    """
    if names(condition) & (parameters.keys() - values.keys()):
        return False
    known: dict[str, Any] = {word: word for word in _words(parameters)}
    known |= {name: _word(value) for name, value in values.items()}
    scope = Scope(ast.File(condition.span.source, (), frozenset()), values=known)
    return truth(evaluate(condition, scope), condition)


def _directed(code: str, span: Span) -> SpecError:
    """The error for a direction: it is known."""
    message = f"`{span.text}` is told by the goal: losses and costs are to fall, the rest to rise"
    return SpecError(code, message, span, "write `goal val_accuracy`")


def _is_limit(node: ast.Statement) -> bool:
    """Whether it is `keep NAME < …`, as the parser reads it, and no `let` called `keep`."""
    texts = [isinstance(i, ast.Positional) and isinstance(i.value, ast.Text) for i in node.items]
    return texts == [False, True, True]


def _words(parameters: Mapping[str, Parameter]) -> set[str]:
    """The words among which settings are chosen."""
    domains = [p.domain for p in parameters.values() if isinstance(p.domain, Choices)]
    return {_word(v) for domain in domains for v in domain.values if isinstance(v, str)}


def _word(value: Any) -> Any:
    """`sgd` of `sgd momentum=0.9`; numbers as they are."""
    return value.split()[0] if isinstance(value, str) else value


def _first(parameter: Parameter) -> Any:
    domain = parameter.domain
    return domain.low if isinstance(domain, Range) else domain.values[0]


def _bound(name: ast.Name, sign: str, at: Span, limit: str, place: Span) -> float:
    """The bound as a number of the measure."""
    if name.id not in MEASURES:
        message = f"`{name.id}` is nothing that is known before training"
        raise _misspelt("E603", message, name.span, [*MEASURES])
    if sign not in SIGNS:
        raise SpecError("E603", f"`{sign}` keeps nothing", at, "one of " + " ".join(SIGNS))
    found = _LIMIT.fullmatch(limit)
    what, units = MEASURES[name.id]
    if found is None or found[3] not in units:
        known = " ".join(f"`50{unit}`" for unit in units)
        message = f"`{limit}` is not a bound of `{name.id}`: {what}"
        raise SpecError("E603", message, place, f"write it like {known}")
    bound = float(f"{found[1]}{found[2] or ''}") * units[found[3]]
    if not 0 < bound < float("inf"):
        raise SpecError("E603", f"`{limit}` keeps nothing or all", place, "give a number above 0")
    return bound


def _misspelt(
    code: str, message: str, span: Span, known: list[str], otherwise: str | None = None
) -> SpecError:
    """The error for a word that is none of those known, with the one that was meant."""
    close = nearest(span.text, known)
    hint = f"did you mean `{close}`?" if close else otherwise or "one of " + ", ".join(known)
    fix = Fix(span, close, f"write `{close}`") if close else None
    return SpecError(code, message, span, hint, fix)


def _columns() -> list[str]:
    """What can be looked for: measures of validation of any task, and costs."""
    metrics = ("loss", *(m for cls in tasks.registry.values() for m in (*cls.rising, *cls.falling)))
    return [*dict.fromkeys(f"val_{name}" for name in metrics), *MEASURES]
