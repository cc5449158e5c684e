"""Expansion: runs the statements of a spec, layer by layer, with shapes as it goes.

Blocks, repeats and conditions need `ch`, the channels at hand, so expansion and shape inference are
one pass. After an error it goes on with the shape that the mended layer would have.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cnndsl import limits
from cnndsl.layers import vocabulary
from cnndsl.layers.base import Layer, Merge
from cnndsl.layers.input import Input
from cnndsl.layers.merge import Residual
from cnndsl.passes import control
from cnndsl.passes.bind import Binder
from cnndsl.passes.binding import Binding
from cnndsl.passes.builder import LimitExceeded
from cnndsl.passes.calls import call
from cnndsl.passes.defaults import reach
from cnndsl.passes.expansion import ExpansionState
from cnndsl.passes.reject_extra import reject_extra, without_braces
from cnndsl.passes.reporter import Reporter, SpecError, Unknown
from cnndsl.passes.scope import UNKNOWN, Scope, Tensor
from cnndsl.passes.unknown_words import as_meant, unknown, with_items
from cnndsl.passes.values import evaluate, truth
from cnndsl.source import Span, counted
from cnndsl.syntax import ast


def expand(
    file: ast.File, reporter: Reporter, root: Path | None, settings: dict[str, Any]
) -> ExpansionState:
    """Run a whole file; what it made, with its errors in the reporter."""
    return Expander(reporter, root, settings).run(file)


class Expander:
    """Runs one spec."""

    def __init__(self, reporter: Reporter, root: Path | None, settings: dict[str, Any]) -> None:
        self._state = ExpansionState(reporter, root, settings, self.suite)

    def run(self, file: ast.File) -> ExpansionState:
        """Expand a whole file."""
        state = self._state
        state.top = scope = Scope(file)
        scope.values["ch"] = state.channels
        if file.source.path is not None:
            state.including.append(file.source.path)
        try:
            self.suite(file.body, scope)
        except LimitExceeded as limit:
            state.reporter.add(limit.diagnostic)
        return state

    def suite(self, suite: ast.Suite, scope: Scope) -> None:
        """Run statements in a scope; its blocks may be called before they are defined."""
        control.hoist(self._state, suite, scope)
        for node in suite:
            if self._state.reporter.closed:
                return
            self._state.count(node.span)
            try:
                self._node(node, scope)
            except SpecError as error:
                self._state.reporter.add(error.diagnostic)
                self._state.give_up(node, scope)
            except Unknown:
                self._state.give_up(node, scope)

    def _node(self, node: ast.Node, scope: Scope) -> None:
        match node:
            case ast.Let():
                control.let(self._state, node, scope)
            case ast.If():
                self._conditional(node, scope)
            case ast.Statement() if node.span.start in scope.file.broken:
                control.broken(self._state, node, scope)
            case ast.Statement():
                self.statement(node, scope)
            case ast.Block() | ast.Use():
                pass  # hoisted

    def _conditional(self, node: ast.If, scope: Scope) -> None:
        step: ast.Group | ast.If | None = node
        while isinstance(step, ast.If):
            holds = truth(evaluate(step.condition, scope), step.condition)
            step = step.then if holds else step.orelse
        if step is not None:
            with self._state.deeper(step.span):
                self._state.single_branch(step, "if")
                self.suite(step.branches[0], scope)

    def statement(self, node: ast.Statement, scope: Scope) -> None:
        """Condition, then control word, block or layer, as often as it repeats."""
        if node.condition is not None and not truth(
            evaluate(node.condition, scope), node.condition
        ):
            return
        word = node.head.id
        if word in control.WORDS:
            try:
                reject_extra(node)
            except SpecError as error:
                if word != "input":
                    raise
                self._state.reporter.add(error.diagnostic)  # what follows can be checked
            return control.WORDS[word](self._state, node, scope)
        if (meant := as_meant(node, scope)) is not None:
            return self._run_as_meant(meant, unknown(node.head, scope.known("blocks")), scope)
        run = self._runner(node, scope)
        times = control.repeats(self._state, node, scope)
        before = len(self._state.builder.nodes)
        for i in range(times):
            self._state.count(node.span)
            self._once(run, node, scope, None if times == 1 else i + 1)
            if i == 0:
                self._foresee(times, len(self._state.builder.nodes) - before, node.span)
        if node.label is not None:
            control.label(self._state, node.label, scope)

    def _run_as_meant(self, node: ast.Statement, error: SpecError, scope: Scope) -> None:
        """Run a statement as it was probably meant: its own names and keys are checked."""
        reporter = self._state.reporter
        with reporter.only("E102", "E103") as held_back:
            try:
                self.statement(node, scope)
            except SpecError as more:
                reporter.add(more.diagnostic)
            except Unknown:
                self._state.give_up(node, scope)
        reporter.add(with_items(error.diagnostic, held_back))
        if held_back:
            self._state.give_up(node, scope)

    def _foresee(self, times: int, each: int, span: Span) -> None:
        """Count the layers of a repeat before expanding them."""
        if times * max(1, each) > limits.LAYERS:
            message = f"{times:,} repeats of {counted(each, 'layer')}"
            message += f"; the limit is {limits.LAYERS:,} layers"
            raise LimitExceeded("E903", message, span, "use fewer repeats")

    def _once(
        self, run: Callable[..., None], node: ast.Statement, scope: Scope, turn: int | None
    ) -> None:
        label = node.label.id if node.label else None
        run(node, scope, f"{label}_{turn}" if label and turn else label)

    def _runner(self, node: ast.Statement, scope: Scope) -> Callable[..., None]:
        word = node.head.id
        if scope.block(word) is not None:
            return partial(call, self._state)
        if word in vocabulary():
            return self._layer
        if scope.incomplete or self._state.reporter.full:
            raise Unknown
        raise unknown(node.head, scope.known("blocks"))

    # Layers

    def _layer(self, node: ast.Statement, scope: Scope, label: str | None) -> None:
        cls = vocabulary()[node.head.id]
        binder = self._state.binder(scope)
        binder.bindings.append(Binding(cls, node.head.span))
        binder.take(node.items)
        binder.take(node.tail)
        if not binder.plain:
            binder.take(scope.defaults.get(node.head.id, ()), weak=True)
            reach(binder, scope.defaults)
        layers = self._grouped(node, cls, binder.build())
        if cls is not Input and self._state.before_input(node):
            return
        xs = self._inputs(node, cls, binder, scope)
        if not layers:
            self._state.current = UNKNOWN
            return
        self._state.builder.statement = node
        self._state.chain(layers, binder, xs, label)

    def _grouped(self, node: ast.Statement, cls: type[Layer], layers: list[Any]) -> list[Any]:
        """The layers, or none where a `{ … }` follows that does not belong there."""
        if node.group is None or cls.takes_group:
            return layers
        message = f"`{node.head.id}` takes no `{{ … }}`"
        hint = "words follow without braces: `conv 64 3x3 relu`"
        fix = without_braces(node.group)
        self._state.reporter.report("E109", message, node.group.span, hint, fix=fix)
        return []

    def _inputs(
        self, node: ast.Statement, cls: type[Layer], binder: Binder, scope: Scope
    ) -> tuple[Tensor, ...]:
        if not issubclass(cls, Merge):
            return () if cls is Input else (self._state.here(),)
        labelled = [self._labelled(name, scope) for name in binder.bindings[0].labels]
        if node.group is None:
            if not labelled and not binder.failed:
                forms = ("{ a | b }", "label") if cls.takes_labels else ("{ … }",)
                hint = "write " + " or ".join(f"`{cls.word} {form}`" for form in forms)
                raise SpecError("E105", f"`{cls.word}` needs something to merge", node.span, hint)
            return (self._state.here(), *labelled)
        branches = self._state.branches(node.group, scope)
        if cls is Residual:
            self._state.single_branch(node.group, "residual")
            return (branches[0], self._state.here())
        return (*branches, *labelled)

    def _labelled(self, name: ast.Name, scope: Scope) -> Tensor:
        try:
            return control.find(self._state, name, scope)
        except SpecError as error:
            self._state.reporter.add(error.diagnostic)
            return UNKNOWN
