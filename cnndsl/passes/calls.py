"""Running a block: its arguments, its frame for messages, and the words behind the call."""

from dataclasses import replace
from typing import Any

from cnndsl.ir import Frame
from cnndsl.passes.binding import Binding
from cnndsl.passes.blocks import Called, bind_call, frame_text
from cnndsl.passes.defaults import reach
from cnndsl.passes.expansion import ExpansionState
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import UNKNOWN, Closure, Scope
from cnndsl.syntax import ast


def call(state: ExpansionState, node: ast.Statement, scope: Scope, label: str | None) -> None:
    """`bottleneck 128 /2 relu`."""
    closure = scope.block(node.head.id)
    assert closure is not None
    if closure in state.calls:
        raise _recursive(state, closure, node)
    if state.before_input(node):
        return
    if node.group is not None:
        message = f"the block `{node.head.id}` takes no `{{ … }}`"
        state.reporter.report(
            "E109", message, node.group.span, "values stand behind its name: `name 64`"
        )
    arguments, posts = bind_call(closure, node, scope, state.follow)
    outside = state.builder.snapshot()
    path = state.builder.path(node.head.id, label)
    with state.deeper(node.span):
        _enter(state, closure, arguments, path, node)
    if posts:
        state.builder.restore(outside)
        state.builder.prefix = path + "." if label else state.builder.prefix
        _follow(state, node, posts, scope)
    state.builder.restore(outside)


def _enter(
    state: ExpansionState,
    closure: Closure,
    arguments: dict[str, Any],
    path: str,
    node: ast.Statement,
) -> None:
    """Run the body in the scope of its definition."""
    inner = Scope(closure.scope.file, closure.scope, values=arguments, opens_block=True)
    inner.defaults = dict(closure.defaults)
    inner.places = {p.name.id: p.name.span for p in closure.block.params}
    state.builder.prefix = path + "."
    frame = Frame(frame_text(node.head.id, arguments), node.span)
    state.builder.stack = (*state.builder.stack, frame)
    state.calls.append(closure)
    state.single_branch(closure.block.body, f"block {node.head.id}")
    state.suite(closure.block.body.branches[0], inner)
    state.calls.pop()


def _follow(
    state: ExpansionState, node: ast.Statement, posts: list[ast.Item], scope: Scope
) -> None:
    """Apply the words behind a block call."""
    binder = state.binder(scope)
    binder.bindings.append(Binding(Called, node.head.span))
    binder.take(posts)
    if not binder.plain:
        reach(binder, scope.defaults)
    layers = binder.build()
    if not layers:
        state.current = UNKNOWN
        return
    words = replace(binder, bindings=binder.bindings[1:])
    state.builder.statement = node
    state.chain(layers[1:], words, (state.here(),), None)


def _recursive(state: ExpansionState, closure: Closure, node: ast.Statement) -> SpecError:
    names = [c.block.name.id for c in state.calls[state.calls.index(closure) :]]
    way = " → ".join([*names, node.head.id])
    return SpecError(
        "E112", f"the block `{node.head.id}` calls itself: {way}", node.span,
        "blocks cannot recurse; write the repeats as `*n`",
    )  # fmt: skip
