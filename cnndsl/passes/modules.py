"""Included files: each is parsed once and holds blocks, lets, defaults and includes only."""

from pathlib import Path

from cnndsl import limits
from cnndsl.passes import includes
from cnndsl.passes.expansion import ExpansionState
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import Scope
from cnndsl.source import Source, UserError
from cnndsl.syntax import ast
from cnndsl.syntax.parser import parse


def load(state: ExpansionState, node: ast.Use, scope: Scope) -> Scope | None:
    """The scope of the named file, or None where it has syntax errors."""
    path = includes.locate(node, scope.file.source, state.root)
    if path in state.including:
        way = " → ".join(p.name for p in [*state.including, path])
        raise SpecError("E403", f"the include goes in a circle: {way}", node.path.span)
    if len(state.including) > limits.INCLUDE_DEPTH:
        message = f"includes nested deeper than {limits.INCLUDE_DEPTH}"
        raise SpecError("E904", message, node.path.span)
    if path not in state.modules:
        state.modules[path] = _run(state, node, path)
    return state.modules[path]


def _run(state: ExpansionState, node: ast.Use, path: Path) -> Scope | None:
    try:
        file, errors = parse(includes.read(path, _shown(path, node.span.source)))
    except UserError as error:
        raise SpecError("E401", str(error), node.path.span) from None
    for error in errors:
        state.reporter.add(error)
    inside = Scope(file)
    inside.values["ch"] = state.channels
    state.including.append(path)
    state.suite(tuple(_allowed(state, file)), inside)
    state.including.pop()
    return None if errors else inside


def _shown(path: Path, by: Source) -> str:
    """The path as it is seen from where the file that uses it was named."""
    assert by.path is not None
    return str(Path(by.name).parent / path.relative_to(by.path.parent))


def _allowed(state: ExpansionState, file: ast.File) -> list[ast.Node]:
    kept = list[ast.Node]()
    for node in file.body:
        if isinstance(node, ast.Statement) and node.head.id not in ("default", "cnn"):
            hint = "an included file holds blocks, lets and defaults"
            state.reporter.report("E404", f"`{node.head.id}` cannot stand here", node.span, hint)
        else:
            kept.append(node)
    return kept
