"""Unknown words where expansion never comes: blocks that nothing calls, branches not taken."""

from collections.abc import Iterator

from cnndsl.layers import vocabulary
from cnndsl.passes.expansion import ExpansionState
from cnndsl.passes.unknown_words import CONTROL, SECTIONS, meant, unknown
from cnndsl.syntax import ast

FAILED_INCLUDE = ("E401", "E402", "E403", "E404", "E904")


def find_unknown(state: ExpansionState, file: ast.File) -> None:
    """Complain of words that are no layer and no block, wherever in the file they stand.

    Any block of the file or its includes counts as known everywhere, so that nothing is complained
    of that might be right; where an include failed, nothing is known. What expansion found already
    is not said twice.
    """
    modules, reporter = state.modules.values(), state.reporter
    if reporter.closed or None in modules or any(d.code in FAILED_INCLUDE for d in reporter.all):
        return
    nodes = list(_all(file.body))
    blocks = {node.name.id for node in nodes if isinstance(node, ast.Block)}
    for module in modules:
        blocks |= module.known("blocks") if module else set[str]()
    known = {*vocabulary(), *CONTROL, *blocks}
    for node in nodes:
        if not isinstance(node, ast.Statement) or node.span.start in file.broken:
            continue
        if node.head.id not in known and not reporter.full:
            reporter.add(unknown(node.head, blocks).diagnostic)


def _all(suite: ast.Suite) -> Iterator[ast.Node]:
    """Every statement of a suite and of the groups in it; groups nest at most 64 deep."""
    for node in suite:
        yield node
        for group in _groups(node):
            for branch in group.branches:
                yield from _all(branch)


def _is_section(head: ast.Name) -> bool:
    """Whether what stands in the braces is not layers: `train { … }`, `training { … }`."""
    return head.id in SECTIONS or (head.id not in vocabulary() and meant(head, ()).text in SECTIONS)


def _groups(node: ast.Node) -> Iterator[ast.Group]:
    match node:
        case ast.Statement(group=ast.Group() as group) if not _is_section(node.head):
            yield group
        case ast.Block():
            yield node.body
        case ast.If():
            step: ast.Group | ast.If | None = node
            while isinstance(step, ast.If):
                yield step.then
                step = step.orelse
            if step is not None:
                yield step
        case _:
            pass
