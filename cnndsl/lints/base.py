"""The registry of lints, what they look at, and which of them are reported."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

from cnndsl.ir import Model, Node
from cnndsl.passes.analyse import examine
from cnndsl.passes.receptive import Field, fields
from cnndsl.passes.reporter import line_of
from cnndsl.recipe import Recipe
from cnndsl.source import Diagnostic, Fix, Source, Span, UserError
from cnndsl.syntax import ast
from cnndsl.syntax.walk import walk

Syntax = TypeVar("Syntax")


@dataclass(frozen=True)
class Found:
    """What a lint has to say about a place; its code is the lint's."""

    message: str
    span: Span
    help: str
    notes: tuple[str, ...] = ()
    fix: Fix | None = None


def line_at(node: Node, seen_from: Node) -> str:
    """The line of a node, with its file where that is another one."""
    return line_of(node.span, seen_from.span.source)


@dataclass(frozen=True)
class Subject:
    """What lints look at: the model, its recipe (None where nothing says how it is trained) and
    the syntax tree of the spec itself, without its includes.
    """

    model: Model
    file: ast.File
    recipe: Recipe | None

    @cached_property
    def _by_type(self) -> dict[type, list[Any]]:
        found: dict[type, list[Any]] = {}
        for node in walk(self.file.body):
            found.setdefault(node.__class__, []).append(node)
        return found

    def all(self, kind: type[Syntax]) -> list[Syntax]:
        """Every node of a kind in the syntax tree, in the order of the text."""
        return self._by_type.get(kind, [])

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The layers in their order."""
        return self.model.nodes

    @cached_property
    def fields(self) -> list[Field]:
        """How much of the picture each node sees, and its step there."""
        return fields(self.model)

    @cached_property
    def readers(self) -> list[list[int]]:
        """For each node, the nodes that take its output."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for x in node.inputs:
                found[x].append(i)
        return found

    def is_output(self, i: int) -> bool:
        """Whether node i gives an output of the model."""
        return i in self.model.outputs.values()

    def only_reader(self, i: int) -> int | None:
        """The one node that takes the output of node i, where nobody else does."""
        alone = len(self.readers[i]) == 1 and not self.is_output(i)
        return self.readers[i][0] if alone else None

    def is_alone(self, node: Node) -> bool:
        """Whether no other layer comes from the same text: a block or repeat makes several."""
        return not any(n is not node and n.span == node.span for n in self.nodes)

    def source_of(self, node: Node) -> Node:
        """The node before one with a single input."""
        return self.nodes[node.inputs[0]]


def place_of(s: Subject, setting: str) -> Span:
    """Where a setting or one of its keys is given; the input where that is not in the spec."""
    if s.recipe is None:
        return s.nodes[0].span
    places = s.recipe.places
    near = places.get(setting) or places.get(setting.partition(".")[0])
    return near or s.nodes[0].span


Lint = Callable[[Subject], Iterable[Found]]
_REGISTRY: dict[str, Lint] = {}


def lint(code: str) -> Callable[[Lint], Lint]:
    """Register a function as the lint of a code."""

    def register(function: Lint) -> Lint:
        _REGISTRY[code] = function
        return function

    return register


@cache
def registry() -> Mapping[str, Lint]:
    """All lints by code; every module of the package is one more place for them."""
    package = __name__.rpartition(".")[0]
    for module in iter_modules([str(Path(__file__).parent)]):
        import_module(f"{package}.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def lint_codes() -> tuple[str, ...]:
    """The codes of all warnings."""
    return ("W001", "W003", *registry())


@dataclass(frozen=True)
class Choice:
    """Which warnings are wanted: codes or their beginnings (`W3`); `ignore` wins over `select`."""

    select: tuple[str, ...] = ("W",)
    ignore: tuple[str, ...] = ()

    @staticmethod
    def of(select: tuple[str, ...], ignore: tuple[str, ...]) -> "Choice":
        """A choice as it is written by hand; UserError for what is not a warning."""
        for start in (*select, *ignore):
            if not any(code.startswith(start) for code in lint_codes()):
                raise UserError(f"there is no warning {start}; `cnndsl explain` lists them")
        return Choice(select or ("W",), ignore)

    def wants(self, code: str) -> bool:
        """Whether a warning is reported."""
        return code.startswith(self.select) and not code.startswith(self.ignore or ("-",))


ALL = Choice()
_IGNORE = re.compile(r"#\s*cnn:\s*ignore(?P<file>-file)?\[(?P<codes>[^\]]*)\]")


def inspect(
    source: Source, settings: Mapping[str, float] | None = None, choice: Choice = ALL
) -> tuple[Model | None, list[Diagnostic]]:
    """The model and everything that can be said of a spec: errors, or else warnings too."""
    model, found, _ = inspect_file(source, settings, choice)
    return model, found


def inspect_file(
    source: Source, settings: Mapping[str, float] | None = None, choice: Choice = ALL
) -> tuple[Model | None, list[Diagnostic], ast.File]:
    """As `inspect`, and the syntax tree of all that could be understood."""
    model, found, file = examine(source, settings)
    if model is not None:
        found = sorted((*found, *run_lints(model, file, model.recipe)), key=_place)
    return model, [d for d in found if d.severity == "error" or _wanted(d, choice)], file


def _place(d: Diagnostic) -> tuple[str, int, str]:
    return d.span.source.name, d.span.start, d.code


def _wanted(d: Diagnostic, choice: Choice) -> bool:
    return choice.wants(d.code) and not d.code.startswith(_ignored(d.span) or ("-",))


def _ignored(span: Span) -> tuple[str, ...]:
    """The codes that comments switch off for a place: on its line, or anywhere for the file."""
    source, line = span.source, span.line
    found = list[str]()
    for match in _IGNORE.finditer(source.text):
        if match["file"] or source.place(match.start())[0] == line:
            found += [code.strip() for code in match["codes"].split(",") if code.strip()]
    return tuple(found)


def training_warnings(model: Model, recipe: Recipe) -> Iterator[Diagnostic]:
    """How a recipe, wherever it comes from, does not fit the model; what is refused is an error."""
    file = ast.File(model.source, (), frozenset())
    found = run_lints(model, file, recipe, "W2")
    return (d for d in found if d.code != "W215" and _wanted(d, ALL))


def run_lints(
    model: Model, file: ast.File, recipe: Recipe | None, start: str = "W"
) -> Iterator[Diagnostic]:
    """All that the lints whose code has this start find; a place is complained of once a code."""
    subject = Subject(model, file, recipe and _resolved(recipe, model))
    for code, look in registry().items():
        if code.startswith(start):
            yield from _once(code, look(subject))


def _resolved(recipe: Recipe, model: Model) -> Recipe:
    """The recipe with task and loss where these are clear without the data."""
    try:
        return recipe.resolved(model.output_shapes()[model.main_output])
    except UserError:
        return recipe


def _once(code: str, found: Iterable[Found]) -> Iterator[Diagnostic]:
    seen: dict[tuple[str, int], list[Found]] = {}
    for each in found:
        seen.setdefault((each.span.source.name, each.span.start), []).append(each)
    for same in seen.values():
        first, more = same[0], len(same) - 1
        d = Diagnostic(
            code, first.message, first.span, first.notes, first.help, first.fix, "warning"
        )
        again = f"and {more} more time{'s' * (more > 1)}, by other calls or turns of a repeat"
        yield replace(d, notes=(*d.notes, again)) if more else d
