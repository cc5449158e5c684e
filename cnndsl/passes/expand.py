"""Expansion: runs the statements of a spec, layer by layer, with shapes as it goes.

Blocks, repeats and conditions need `ch`, the channels at hand, so expansion and shape inference are
one pass. After an error it goes on with the shape that the mended layer would have.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
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
from cnndsl.passes.builder import Builder, LimitExceeded
from cnndsl.passes.calls import call
from cnndsl.passes.defaults import reach
from cnndsl.passes.recovery import SIZE, SURE
from cnndsl.passes.reject_extra import reject_extra
from cnndsl.passes.reporter import Reporter, SpecError, Unknown
from cnndsl.passes.scope import UNKNOWN, Closure, Scope, Tensor
from cnndsl.passes.unknown_words import as_meant, unknown
from cnndsl.passes.values import evaluate, truth
from cnndsl.source import Span
from cnndsl.syntax import ast


class Expander:
    """Runs one spec. `current` is the output of the statement above; None before `input`."""

    def __init__(self, reporter: Reporter, root: Path | None, settings: dict[str, Any]) -> None:
        self.reporter = reporter
        self.root = root
        self.settings = settings
        self.builder = Builder(reporter)
        self.current: Tensor | None = None
        self.outputs: dict[str, Tensor] = {}
        self.named: Tensor | None = None  # the current tensor, if `output` has named it
        self.recipe: tuple[ast.Statement, Scope] | None = None
        self.used: set[str] = set()  # settings that a `let` has taken
        self.follow = {w: c for w, c in vocabulary().items() if c.post}
        self.top: Scope | None = None  # that of the spec itself
        self.modules: dict[Path, Scope | None] = {}
        self.including: list[Path] = []  # the spec and the includes on the way to the file at hand
        self._steps = 0
        self._depth = 0
        self.calls: list[Closure] = []  # of blocks, on the way to the statement at hand

    def run(self, file: ast.File) -> None:
        """Expand a whole file."""
        self.top = scope = Scope(file)
        scope.values["ch"] = self.channels
        if file.source.path is not None:
            self.including.append(file.source.path)
        try:
            self.suite(file.body, scope)
        except LimitExceeded as limit:
            self.reporter.add(limit.diagnostic)

    def channels(self) -> int:
        """`ch`: the channels at hand."""
        if self.current is None or self.current.shape is None:
            raise Unknown
        return self.current.shape[0]

    def suite(self, suite: ast.Suite, scope: Scope) -> None:
        """Run statements in a scope; its blocks may be called before they are defined."""
        control.hoist(self, suite, scope)
        for node in suite:
            if self.reporter.closed:
                return
            self._count(node.span)
            try:
                self._node(node, scope)
            except SpecError as complaint:
                self.reporter.add(complaint.diagnostic)
                self._give_up(node, scope)
            except Unknown:
                self._give_up(node, scope)

    def _give_up(self, node: ast.Node, scope: Scope) -> None:
        """Go on behind a failed statement: nothing is known of its output, its label exists."""
        if self.current is not None:
            self.current = UNKNOWN
        if isinstance(node, ast.Statement) and node.label is not None:
            scope.labels.setdefault(node.label.id, UNKNOWN)

    def _count(self, span: Span) -> None:
        self._steps += 1
        if self._steps > limits.STEPS:
            raise LimitExceeded("E903", f"more than {limits.STEPS:,} statements to run", span)

    def _node(self, node: ast.Node, scope: Scope) -> None:
        match node:
            case ast.Let():
                control.let(self, node, scope)
            case ast.If():
                self._conditional(node, scope)
            case ast.Statement() if node.span.start in scope.file.broken:
                control.broken(self, node, scope)
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
            with self.deeper(step.span):
                control.lone(self, step, "if")
                self.suite(step.branches[0], scope)

    @contextmanager
    def deeper(self, span: Span) -> Generator[None]:
        """One level down; LimitExceeded past the limit."""
        if self._depth >= limits.NESTING:
            message = f"blocks and groups nested deeper than {limits.NESTING} levels"
            raise LimitExceeded("E901", message, span)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

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
            except SpecError as complaint:
                if word != "input":
                    raise
                self.reporter.add(complaint.diagnostic)  # there is one; what follows can be checked
            return control.WORDS[word](self, node, scope)
        if (meant := as_meant(node, scope)) is not None:
            self.reporter.add(unknown(node.head, scope.known("blocks")).diagnostic)
            return self._run_as_meant(meant, scope)
        run = self._runner(node, scope)
        times = control.repeats(self, node, scope)
        before = len(self.builder.nodes)
        for i in range(times):
            self._count(node.span)
            self._once(run, node, scope, None if times == 1 else i + 1)
            if i == 0:
                self._foresee(times, len(self.builder.nodes) - before, node.span)
        if node.label is not None:
            control.label(self, node.label, scope)

    def _run_as_meant(self, node: ast.Statement, scope: Scope) -> None:
        """Run a statement as it was probably meant: its own names and keys are checked."""
        with self.reporter.only("E102", "E103") as found_more:
            self.statement(node, scope)
        if found_more():
            self._give_up(node, scope)

    def _foresee(self, times: int, each: int, span: Span) -> None:
        """Count the layers of a repeat before expanding them."""
        if times * max(1, each) > limits.LAYERS:
            message = f"{times:,} repeats of {each:,} layers; the limit is {limits.LAYERS:,} layers"
            raise LimitExceeded("E903", message, span, "use fewer repeats")

    def _once(
        self, run: Callable[..., None], node: ast.Statement, scope: Scope, turn: int | None
    ) -> None:
        label = node.label.id if node.label else None
        run(node, scope, f"{label}_{turn}" if label and turn else label)

    def _runner(self, node: ast.Statement, scope: Scope) -> Callable[..., None]:
        word = node.head.id
        if scope.block(word) is not None:
            return partial(call, self)
        if word in vocabulary():
            return self._layer
        if scope.incomplete or self.reporter.full:
            raise Unknown
        raise unknown(node.head, scope.known("blocks"))

    def binder(self, scope: Scope) -> Binder:
        """A binder for layers."""
        return Binder(self.reporter, scope, self.follow, set(vocabulary()))

    # Layers

    def _layer(self, node: ast.Statement, scope: Scope, label: str | None) -> None:
        cls = vocabulary()[node.head.id]
        binder = self.binder(scope)
        binder.bindings.append(Binding(cls, node.head.span))
        binder.take(node.items)
        binder.take(node.tail)
        if not binder.plain:
            binder.take(scope.defaults.get(node.head.id, ()), weak=True)
            reach(binder, scope.defaults)
        layers = self._grouped(node, cls, binder.build())
        if cls is not Input and self.before_input(node):
            return
        xs = self._inputs(node, cls, binder, scope)
        if not layers:
            self.current = UNKNOWN
            return
        self.builder.statement = node
        self.chain(layers, binder, xs, label)

    def _grouped(self, node: ast.Statement, cls: type[Layer], layers: list[Any]) -> list[Any]:
        """The layers, or none where a `{ … }` follows that does not belong there."""
        if node.group is None or cls.takes_group:
            return layers
        message = f"`{node.head.id}` takes no `{{ … }}`"
        hint = "words follow without braces: `conv 64 3x3 relu`"
        self.reporter.report("E109", message, node.group.span, hint)
        return []

    def chain(
        self,
        layers: list[Any],
        binder: Binder,
        xs: tuple[Tensor, ...],
        label: str | None,
    ) -> None:
        """Apply the words of a statement one after the other.

        Where some items were not understood (`sam` for `same`) the sizes are in doubt.
        """
        words = tuple(binding.cls.word for binding in binder.bindings)
        outside = self.builder.snapshot()
        doubts = frozenset((SIZE,)) if binder.failed else SURE
        for i, (layer, binding) in enumerate(zip(layers, binder.bindings, strict=True)):
            path = self.builder.path(layer.word, label if i == 0 else None)
            place = Binding(binding.cls, binding.stretch(), binding.values, binding.spans)
            made = layer.before(words[i + 1 :])
            self.current = self.builder.apply(made, place, xs, path, i > 0, doubts)
            xs = (self.current,)
            if i == 0 and label is not None:
                self.builder.prefix = path + "."
        self.builder.restore(outside)

    def before_input(self, node: ast.Statement) -> bool:
        """Whether there is no input yet, which is said here."""
        if self.current is not None:
            return False
        self.reporter.report(
            "E301", "there is no input yet", node.span,
            "start with `input 3x32x32`: channels x height x width",
        )  # fmt: skip
        self.current = UNKNOWN
        return True

    def _inputs(
        self, node: ast.Statement, cls: type[Layer], binder: Binder, scope: Scope
    ) -> tuple[Tensor, ...]:
        if not issubclass(cls, Merge):
            return () if cls is Input else (self.here(),)
        labelled = [self._labelled(name, scope) for name in binder.bindings[0].labels]
        if node.group is None:
            if not labelled and not binder.failed:
                forms = ("{ a | b }", "label") if cls.takes_labels else ("{ … }",)
                hint = "write " + " or ".join(f"`{cls.word} {form}`" for form in forms)
                raise SpecError("E105", f"`{cls.word}` needs something to merge", node.span, hint)
            return (self.here(), *labelled)
        branches = self.branches(node.group, scope)
        if cls is Residual:
            control.lone(self, node.group, "residual")
            return (branches[0], self.here())
        return (*branches, *labelled)

    def _labelled(self, name: ast.Name, scope: Scope) -> Tensor:
        try:
            return control.find(self, name, scope)
        except SpecError as complaint:
            self.reporter.add(complaint.diagnostic)
            return UNKNOWN

    def here(self) -> Tensor:
        """The current tensor."""
        return self.current or UNKNOWN

    def branches(self, group: ast.Group, scope: Scope) -> list[Tensor]:
        """Run every branch from the current tensor; the current tensor stays."""
        start, ends = self.current, list[Tensor]()
        with self.deeper(group.span):
            for branch in group.branches:
                self.current = start
                self.suite(branch, scope.inner())
                ends.append(self.here())
        self.current = start
        return ends
