"""The state of an expansion: what the statements so far have made, and what is open around them."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cnndsl import limits
from cnndsl.layers import vocabulary
from cnndsl.passes.bind import Binder
from cnndsl.passes.builder import Builder, LimitExceeded
from cnndsl.passes.recovery import SIZE, SURE
from cnndsl.passes.reporter import Reporter, Unknown
from cnndsl.passes.scope import UNKNOWN, Closure, Scope, Tensor
from cnndsl.source import Span
from cnndsl.syntax import ast


@dataclass
class ExpansionState:
    """`current` is the output of the statement above; None before `input`."""

    reporter: Reporter
    root: Path | None
    settings: dict[str, Any]
    suite: Callable[[ast.Suite, Scope], None]
    """Runs statements in a scope."""
    current: Tensor | None = None
    outputs: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    named: Tensor | None = None
    """The current tensor, if `output` has named it."""
    recipe: tuple[ast.Statement, Scope] | None = None
    search: ast.Statement | None = None
    top: Scope | None = None
    """That of the spec itself."""
    modules: dict[Path, Scope | None] = field(default_factory=dict[Path, Scope | None])
    including: list[Path] = field(default_factory=list[Path])
    """The spec and the includes on the way to the file at hand."""
    calls: list[Closure] = field(default_factory=list[Closure])
    """Of blocks, on the way to the statement at hand."""
    steps: int = 0
    depth: int = 0

    def __post_init__(self) -> None:
        self.builder = Builder(self.reporter)
        self.follow = {w: c for w, c in vocabulary().items() if c.post}

    def channels(self) -> int:
        """`ch`: the channels at hand."""
        if self.current is None or self.current.shape is None:
            raise Unknown
        return self.current.shape[0]

    def here(self) -> Tensor:
        """The current tensor."""
        return self.current or UNKNOWN

    def count(self, span: Span) -> None:
        """One more statement is run; LimitExceeded past the limit."""
        self.steps += 1
        if self.steps > limits.STEPS:
            raise LimitExceeded("E903", f"more than {limits.STEPS:,} statements to run", span)

    @contextmanager
    def deeper(self, span: Span) -> Generator[None]:
        """One level down; LimitExceeded past the limit."""
        if self.depth >= limits.NESTING:
            message = f"blocks and groups nested deeper than {limits.NESTING} levels"
            raise LimitExceeded("E901", message, span)
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def give_up(self, node: ast.Node, scope: Scope) -> None:
        """Go on behind a failed statement: nothing is known of its output, its label exists."""
        if self.current is not None:
            self.current = UNKNOWN
        if isinstance(node, ast.Statement) and node.label is not None:
            scope.labels.setdefault(node.label.id, UNKNOWN)

    def before_input(self, node: ast.Statement) -> bool:
        """Whether there is no input yet, which is reported here."""
        if self.current is not None:
            return False
        self.reporter.report(
            "E301", "there is no input yet", node.span,
            "start with `input 3x32x32`: channels x height x width",
        )  # fmt: skip
        self.current = UNKNOWN
        return True

    def single_branch(self, group: ast.Group, word: str) -> None:
        """Report a `|` where there are no branches."""
        if len(group.branches) > 1:
            hint = "branches belong in `add { a | b }`, `concat { a | b }` or `mul { a | b }`"
            self.reporter.report("E109", f"`{word}` has one branch", group.span, hint)

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

    def binder(self, scope: Scope) -> Binder:
        """A binder for layers."""
        return Binder(self.reporter, scope, self.follow, set(vocabulary()))

    def chain(
        self, layers: list[Any], binder: Binder, xs: tuple[Tensor, ...], label: str | None
    ) -> None:
        """Apply the words of a statement one after the other.

        Where some items were not understood (`sam` for `same`) the sizes are in doubt.
        """
        words = tuple(binding.cls.word for binding in binder.bindings)
        outside = self.builder.snapshot()
        doubts = frozenset((SIZE,)) if binder.failed else SURE
        for i, (layer, binding) in enumerate(zip(layers, binder.bindings, strict=True)):
            path = self.builder.path(layer.word, label if i == 0 else None)
            place = replace(binding, span=binding.stretch())
            whole = layer.before(words[i + 1 :])
            self.current = self.builder.apply(whole, place, xs, path, i > 0, doubts)
            xs = (self.current,)
            if i == 0 and label is not None:
                self.builder.prefix = path + "."
        self.builder.restore(outside)
