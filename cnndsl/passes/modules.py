"""Included files: each is parsed once and holds blocks, lets, defaults and includes only."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl import limits
from cnndsl.passes import includes
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import Scope
from cnndsl.source import Source, UserError
from cnndsl.syntax import ast
from cnndsl.syntax.parser import parse

if TYPE_CHECKING:
    from cnndsl.passes.expand import Expander


def load(run: "Expander", node: ast.Use, scope: Scope) -> Scope | None:
    """The scope of the named file, or None where it has syntax errors."""
    path = includes.locate(node, scope.file.source, run.root)
    if path in run.including:
        way = " → ".join(p.name for p in [*run.including, path])
        raise SpecError("E403", f"the include goes in a circle: {way}", node.path.span)
    if len(run.including) > limits.INCLUDE_DEPTH:
        message = f"includes nested deeper than {limits.INCLUDE_DEPTH}"
        raise SpecError("E904", message, node.path.span)
    if path not in run.modules:
        run.modules[path] = _run(run, node, path)
    return run.modules[path]


def _run(run: "Expander", node: ast.Use, path: Path) -> Scope | None:
    try:
        file, errors = parse(includes.read(path, _shown(path, node.span.source)))
    except UserError as error:
        raise SpecError("E401", str(error), node.path.span) from None
    for error in errors:
        run.reporter.add(error)
    inside = Scope(file)
    inside.values["ch"] = run.channels
    run.including.append(path)
    run.suite(tuple(_allowed(run, file)), inside)
    run.including.pop()
    return None if errors else inside


def _shown(path: Path, by: Source) -> str:
    """The path as it is seen from where the file that uses it was named."""
    assert by.path is not None
    return str(Path(by.name).parent / path.relative_to(by.path.parent))


def _allowed(run: "Expander", file: ast.File) -> list[ast.Node]:
    kept = list[ast.Node]()
    for node in file.body:
        if isinstance(node, ast.Statement) and node.head.id not in ("default", "cnn"):
            hint = "an included file holds blocks, lets and defaults"
            run.reporter.report("E404", f"`{node.head.id}` cannot stand here", node.span, hint)
        else:
            kept.append(node)
    return kept
