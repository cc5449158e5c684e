"""Running a block: its arguments, its frame for messages, and the words behind the call."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnndsl.ir import Frame
from cnndsl.passes import control
from cnndsl.passes.binding import Binding
from cnndsl.passes.blocks import Called, bind_call, frame_text
from cnndsl.passes.defaults import reach
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import UNKNOWN, Closure, Scope
from cnndsl.syntax import ast

if TYPE_CHECKING:
    from cnndsl.passes.expand import Expander


def call(run: "Expander", node: ast.Statement, scope: Scope, label: str | None) -> None:
    """`bottleneck 128 /2 relu`."""
    closure = scope.block(node.head.id)
    assert closure is not None
    if closure in run.calls:
        raise _recursive(run, closure, node)
    if run.before_input(node):
        return
    if node.group is not None:
        message = f"the block `{node.head.id}` takes no `{{ … }}`"
        run.reporter.report(
            "E109", message, node.group.span, "values stand behind its name: `name 64`"
        )
    arguments, posts = bind_call(closure, node, scope, run.follow)
    outside = run.builder.snapshot()
    path = run.builder.path(node.head.id, label)
    with run.deeper(node.span):
        _enter(run, closure, arguments, path, node)
    if posts:
        run.builder.restore(outside)
        run.builder.prefix = path + "." if label else run.builder.prefix
        _follow(run, node, posts, scope)
    run.builder.restore(outside)


def _enter(
    run: "Expander", closure: Closure, arguments: dict[str, Any], path: str, node: ast.Statement
) -> None:
    """Run the body in the scope of its definition."""
    inner = Scope(closure.scope.file, closure.scope, values=arguments, opens_block=True)
    inner.defaults = dict(closure.defaults)
    inner.places = {p.name.id: p.name.span for p in closure.block.params}
    run.builder.prefix = path + "."
    frame = Frame(frame_text(node.head.id, arguments), node.span)
    run.builder.stack = (*run.builder.stack, frame)
    run.calls.append(closure)
    control.lone(run, closure.block.body, f"block {node.head.id}")
    run.suite(closure.block.body.branches[0], inner)
    run.calls.pop()


def _follow(run: "Expander", node: ast.Statement, posts: list[ast.Item], scope: Scope) -> None:
    """Apply the words behind a block call."""
    binder = run.binder(scope)
    binder.bindings.append(Binding(Called, node.head.span))
    binder.take(posts)
    if not binder.plain:
        reach(binder, scope.defaults)
    layers = binder.build()
    if not layers:
        run.current = UNKNOWN
        return
    words = replace(binder, bindings=binder.bindings[1:])
    run.builder.statement = node
    run.chain(layers[1:], words, (run.here(),), None)


def _recursive(run: "Expander", closure: Closure, node: ast.Statement) -> SpecError:
    names = [c.block.name.id for c in run.calls[run.calls.index(closure) :]]
    way = " → ".join([*names, node.head.id])
    return SpecError(
        "E112", f"the block `{node.head.id}` calls itself: {way}", node.span,
        "blocks cannot recurse; write the repeats as `*n`",
    )  # fmt: skip
