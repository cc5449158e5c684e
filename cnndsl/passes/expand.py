"""Expansion: runs the statements of a spec, layer by layer, with shapes as it goes.

Blocks, repeats and conditions need `ch`, the channels at hand, so expansion and shape inference are
one pass. After an error it goes on with the shape that the mended layer would have.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnndsl import limits
from cnndsl.ir import Frame
from cnndsl.layers import vocabulary
from cnndsl.layers.base import Layer, Merge
from cnndsl.layers.input import Input
from cnndsl.layers.merge import Residual
from cnndsl.passes import control
from cnndsl.passes.bind import Binder, Slot
from cnndsl.passes.blocks import Called, bind_call, frame_text
from cnndsl.passes.builder import Builder, TooBig
from cnndsl.passes.scope import UNKNOWN, Closure, Scope, Tensor
from cnndsl.passes.sink import Complaint, Sink, Unknown
from cnndsl.passes.values import evaluate, truth
from cnndsl.source import Span
from cnndsl.syntax import ast
from cnndsl.words import nearest


class Expander:
    """Runs one spec. `current` is the output of the statement above; None before `input`."""

    def __init__(self, sink: Sink, root: Path | None, settings: dict[str, Any]) -> None:
        self.sink = sink
        self.root = root
        self.settings = settings
        self.builder = Builder(sink)
        self.current: Tensor | None = None
        self.outputs: dict[str, Tensor] = {}
        self.named: Tensor | None = None  # the current tensor, if `output` has named it
        self.recipe: tuple[ast.Statement, Scope] | None = None
        self.used: set[str] = set()  # settings that a `let` has taken
        self.follow = {w: c for w, c in vocabulary().items() if c.post}
        self.modules: dict[Path, Scope | None] = {}
        self.including: list[Path] = []
        self._steps = 0
        self._depth = 0
        self._calls: list[Closure] = []

    def run(self, file: ast.File) -> None:
        """Expand a whole file."""
        scope = Scope(file)
        scope.values["ch"] = self.channels
        try:
            self.suite(file.body, scope)
        except TooBig as limit:
            self.sink.add(limit.diagnostic)

    def channels(self) -> int:
        """`ch`: the channels at hand."""
        if self.current is None or self.current.shape is None:
            raise Unknown
        return self.current.shape[0]

    def suite(self, suite: ast.Suite, scope: Scope) -> None:
        """Run statements in a scope; its blocks may be called before they are defined."""
        control.hoist(self, suite, scope)
        for node in suite:
            self._count(node.span)
            try:
                self._node(node, scope)
            except Complaint as complaint:
                self.sink.add(complaint.diagnostic)
                self._lose()
            except Unknown:
                self._lose()

    def _count(self, span: Span) -> None:
        self._steps += 1
        if self._steps > limits.STEPS:
            raise TooBig("E903", f"more than {limits.STEPS:,} statements to run", span)

    def _lose(self) -> None:
        """Nothing is known of the current tensor any more."""
        if self.current is not None:
            self.current = UNKNOWN

    def _node(self, node: ast.Node, scope: Scope) -> None:
        match node:
            case ast.Let():
                control.let(self, node, scope)
            case ast.If():
                self._conditional(node, scope)
            case ast.Statement() if node.span.start in scope.file.broken:
                self._lose()
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
    def deeper(self, span: Span) -> Iterator[None]:
        """One level down; TooBig past the limit."""
        if self._depth >= limits.NESTING:
            message = f"blocks and groups nested deeper than {limits.NESTING} levels"
            raise TooBig("E901", message, span)
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
            return control.WORDS[word](self, node, scope)
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

    def _foresee(self, times: int, each: int, span: Span) -> None:
        """Count the layers of a repeat before expanding them."""
        if times * max(1, each) > limits.LAYERS:
            message = f"{times:,} repeats of {each:,} layers: more than {limits.LAYERS:,} layers"
            raise TooBig("E903", message, span, "use fewer repeats")

    def _once(
        self, run: Callable[..., None], node: ast.Statement, scope: Scope, turn: int | None
    ) -> None:
        label = node.label.id if node.label else None
        run(node, scope, f"{label}_{turn}" if label and turn else label)

    def _runner(self, node: ast.Statement, scope: Scope) -> Callable[..., None]:
        word = node.head.id
        if scope.block(word) is not None:
            return self._call
        if word in vocabulary():
            return self._layer
        raise self._unknown(node.head, scope)

    def _unknown(self, head: ast.Name, scope: Scope) -> Complaint:
        known = set(vocabulary()) | scope.known("blocks") | set(control.WORDS)
        close = nearest(head.id, known) or control.SYNONYMS.get(head.id.lower())
        mend = f"did you mean `{close}`?" if close else "`cnndsl layers` lists the layers"
        fix = control.rename(head, close)
        return Complaint("E101", f"unknown layer or block `{head.id}`", head.span, mend, fix)

    def binder(self, scope: Scope) -> Binder:
        """A binder for layers."""
        return Binder(self.sink, scope, self.follow, vocabulary())

    # Layers

    def _layer(self, node: ast.Statement, scope: Scope, label: str | None) -> None:
        cls = vocabulary()[node.head.id]
        binder = self.binder(scope)
        binder.slots.append(Slot(cls, node.head.span))
        binder.take(node.items)
        binder.take(node.tail)
        if not binder.plain:
            binder.take(scope.defaults.get(node.head.id, ()), weak=True)
        layers = binder.build()
        if node.group is not None and not cls.takes_group:
            self.sink.say("E109", f"`{node.head.id}` takes no `{{ … }}`", node.group.span)
            layers = []
        if cls is not Input and self._before_input(node):
            return
        xs = self._inputs(node, cls, binder.slots[0], scope)
        if not layers:
            self.current = UNKNOWN
            return
        self.chain(layers, binder.slots, xs, label)

    def chain(
        self,
        layers: list[Any],
        slots: list[Slot],
        xs: tuple[Tensor, ...],
        label: str | None,
    ) -> None:
        """Apply the words of a statement one after the other."""
        words = tuple(slot.cls.word for slot in slots)
        outside = self.builder.snapshot()
        for i, (layer, slot) in enumerate(zip(layers, slots, strict=True)):
            path = self.builder.path(layer.word, label if i == 0 else None)
            place = Slot(slot.cls, _stretch(slot), slot.values, slot.spans)
            made = layer.before(words[i + 1 :])
            self.current = self.builder.apply(made, place, xs, path, follows=i > 0)
            xs = (self.current,)
            if i == 0 and label is not None:
                self.builder.prefix = path + "."
        self.builder.restore(outside)

    def _before_input(self, node: ast.Statement) -> bool:
        if self.current is not None:
            return False
        self.sink.say(
            "E301", "there is no input yet", node.span,
            "start with `input 3x32x32`: channels x height x width",
        )  # fmt: skip
        self.current = UNKNOWN
        return True

    def _inputs(
        self, node: ast.Statement, cls: type[Layer], slot: Slot, scope: Scope
    ) -> tuple[Tensor, ...]:
        if not issubclass(cls, Merge):
            return () if cls is Input else (self._here(),)
        labelled = [control.find(self, name, scope) for name in slot.labels]
        if node.group is None:
            if not labelled:
                mend = f"write `{cls.word} {{ a | b }}` or `{cls.word} label`"
                raise Complaint("E105", f"`{cls.word}` needs something to merge", node.span, mend)
            return (self._here(), *labelled)
        branches = self.branches(node.group, scope)
        if cls is Residual:
            control.lone(self, node.group, "residual")
            return (branches[0], self._here())
        return (*branches, *labelled)

    def _here(self) -> Tensor:
        return self.current or UNKNOWN

    def branches(self, group: ast.Group, scope: Scope) -> list[Tensor]:
        """Run every branch from the current tensor; the current tensor stays."""
        start, ends = self.current, list[Tensor]()
        with self.deeper(group.span):
            for branch in group.branches:
                self.current = start
                self.suite(branch, scope.inner())
                ends.append(self._here())
        self.current = start
        return ends

    # Blocks

    def _call(self, node: ast.Statement, scope: Scope, label: str | None) -> None:
        closure = scope.block(node.head.id)
        assert closure is not None
        if closure in self._calls:
            raise self._recursive(closure, node)
        if self._before_input(node):
            return
        if node.group is not None:
            self.sink.say("E109", f"the block `{node.head.id}` takes no `{{ … }}`", node.group.span)
        arguments, posts = bind_call(closure, node, scope, self.follow)
        outside = self.builder.snapshot()
        path = self.builder.path(node.head.id, label)
        with self.deeper(node.span):
            self._enter(closure, arguments, path, node)
        if posts:
            self.builder.restore(outside)
            self.builder.prefix = path + "." if label else self.builder.prefix
            self._follow(node, posts, scope)
        self.builder.restore(outside)

    def _follow(self, node: ast.Statement, posts: list[ast.Item], scope: Scope) -> None:
        """Apply the words behind a block call."""
        binder = self.binder(scope)
        binder.slots.append(Slot(Called, node.head.span))
        binder.take(posts)
        layers = binder.build()
        if layers:
            self.chain(layers[1:], binder.slots[1:], (self._here(),), None)
        else:
            self.current = UNKNOWN

    def _enter(
        self, closure: Closure, arguments: dict[str, Any], path: str, node: ast.Statement
    ) -> None:
        inner = Scope(closure.scope.file, closure.scope, values=arguments, opens_block=True)
        inner.defaults = dict(closure.defaults)
        inner.places = {p.name.id: p.name.span for p in closure.block.params}
        self.builder.prefix = path + "."
        frame = Frame(frame_text(node.head.id, arguments), node.span)
        self.builder.stack = (*self.builder.stack, frame)
        self._calls.append(closure)
        control.lone(self, closure.block.body, f"block {node.head.id}")
        self.suite(closure.block.body.branches[0], inner)
        self._calls.pop()

    def _recursive(self, closure: Closure, node: ast.Statement) -> Complaint:
        names = [c.block.name.id for c in self._calls[self._calls.index(closure) :]]
        way = " → ".join([*names, node.head.id])
        return Complaint(
            "E112", f"the block `{node.head.id}` calls itself: {way}", node.span,
            "blocks cannot recurse; write the repeats as `*n`",
        )  # fmt: skip


def _stretch(slot: Slot) -> Span:
    """A word with its own items."""
    ends = [s.end for s in slot.spans.values() if s.source is slot.span.source]
    return Span(slot.span.source, slot.span.start, max([slot.span.end, *ends]))
