"""W1…: names that nothing uses or that hide others, branches that never run."""

from collections.abc import Iterator

from cnndsl.edits import without
from cnndsl.layers.merge import Residual
from cnndsl.lints.base import Found, Subject, lint
from cnndsl.passes.reporter import SpecError, Unknown
from cnndsl.passes.scope import Scope
from cnndsl.passes.values import evaluate
from cnndsl.shapes import show
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast
from cnndsl.syntax.walk import names, walk

_NAMED = (ast.Let, ast.Block)


def _used_names(s: Subject) -> set[str]:
    """Words in expressions and the heads of statements, definitions left out."""
    defined = [n.name for kind in (ast.Let, ast.Block, ast.Param) for n in s.all(kind)]
    defined += [n.label for n in s.all(ast.Statement) if n.label]
    places = {name.span.start for name in defined}
    return {n.id for n in s.all(ast.Name) if n.span.start not in places}


@lint("W101")
def unused_let(s: Subject) -> Iterator[Found]:
    """`let k = 32` where nothing reads k."""
    used = _used_names(s)
    for node in s.all(ast.Let):
        if node.name.id not in used:
            message = f"nothing uses `{node.name.id}`"
            yield Found(message, node.name.span, "remove it, or use it", fix=without(node.span))


@lint("W102")
def unused_block(s: Subject) -> Iterator[Found]:
    """`block a { … }` that is never called."""
    heads = {n.head.id for n in s.all(ast.Statement)}
    for node in s.all(ast.Block):
        if node.name.id not in heads:
            message = f"nothing calls the block `{node.name.id}`"
            yield Found(message, node.name.span, f"call it: `{node.name.id} …`, or remove it",
                        fix=without(node.span))  # fmt: skip


@lint("W103")
def idle_label(s: Subject) -> Iterator[Found]:
    """A label that nothing refers to, on a statement without weights that it would name."""
    used = _used_names(s)
    idle = [n for n in s.all(ast.Statement) if n.label and n.label.id not in used]
    named = _statements_with_weights(s) if idle else set[tuple[int, int]]()
    for node in idle:
        label = node.label
        if label is not None and (node.span.start, node.span.end) not in named:
            span = Span(label.span.source, label.span.start, node.head.span.start)
            yield Found(f"nothing uses the label `{label.id}`", label.span,
                        f"refer to it, as in `add {label.id}`, or remove it",
                        fix=Fix(span, "", "remove the label"))  # fmt: skip


def _statements_with_weights(s: Subject) -> set[tuple[int, int]]:
    """The spans of all statements that give tensors their names."""
    spans = list[Span]()
    for node in s.nodes:
        if node.params:
            spans += [frame.span for frame in node.stack]
            spans += [node.statement] if node.statement else []
    return {(span.start, span.end) for span in spans if span.source is s.model.source}


@lint("W104")
def shadowed(s: Subject) -> Iterator[Found]:
    """A name inside of a block that hides one of the file."""
    outer = {n.name.id: n.name for n in s.file.body if isinstance(n, _NAMED)}
    for block in s.all(ast.Block):
        for node in walk(block.params, block.body):
            if isinstance(node, ast.Let | ast.Param) and node.name.id in outer:
                hidden = outer[node.name.id]
                yield Found(
                    f"`{node.name.id}` hides the one of line {hidden.span.line}", node.name.span,
                    f"choose another name inside of `{block.name.id}`",
                )  # fmt: skip


@lint("W105")
def dead_branch(s: Subject) -> Iterator[Found]:
    """A condition or a repeat that is the same whatever happens."""
    conditions = [n.condition for kind in (ast.If, ast.Statement) for n in s.all(kind)]
    for condition in conditions:
        if condition is not None:
            yield from _constant(condition, s)
    for node in s.all(ast.Repeat):
        if isinstance(node.value, ast.Number) and node.value.value == 0:
            yield Found("repeated 0 times, this never runs", node.span, "remove the statement")


def _constant(condition: ast.Expr, s: Subject) -> Iterator[Found]:
    if names(condition):
        return
    try:
        holds = bool(evaluate(condition, Scope(s.file)))
    except (SpecError, Unknown):
        return
    what = "always holds: what follows `else` never runs" if holds else "never holds"
    yield Found(f"`{condition.span.text}` {what}", condition.span,
                "compare with a parameter of the block, a `let` or `ch`")  # fmt: skip


@lint("W106")
def never_adds(s: Subject) -> Iterator[Found]:
    """`residual auto` whose skip fits at none of its calls."""
    merges = [n for n in s.nodes if isinstance(n.layer, Residual) and n.layer.auto]
    adding = {n.span for n in merges if _shapes_agree(s, n.inputs)}
    for node in merges:
        if node.span not in adding:
            branch, skip = (s.nodes[i].shape for i in node.inputs)
            yield Found(
                "`residual auto` never adds its skip here", node.span,
                "keep the shape in the branch (`same`, no stride, as many filters), or project "
                "the skip: `add { … | conv C 1x1 }`",
                (f"the branch gives {show(branch)}, the skip {show(skip)}",),
            )  # fmt: skip


def _shapes_agree(s: Subject, inputs: tuple[int, ...]) -> bool:
    return len({s.nodes[i].shape for i in inputs}) == 1
