"""The model under construction: nodes, unique paths, limits, and rejections with their history."""

from math import prod
from typing import Any

from cnndsl import limits
from cnndsl.ir import Frame, Node
from cnndsl.layers.base import Layer, Param, Reject
from cnndsl.passes import recovery
from cnndsl.passes.binding import Binding
from cnndsl.passes.mending import advice
from cnndsl.passes.mending_base import Spot
from cnndsl.passes.recovery import SURE, Doubts
from cnndsl.passes.reporter import Reporter, line_of
from cnndsl.passes.scope import UNKNOWN, Tensor
from cnndsl.shapes import Shape, show
from cnndsl.source import Diagnostic, Source, Span
from cnndsl.syntax import ast


class LimitExceeded(Exception):  # noqa: N818  (read as: the model is too big)
    """A limit was passed; expansion stops at once."""

    def __init__(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, span, help=help)


class Builder:
    """Adds layers one by one."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        reporter.calls = self.calls
        self.nodes: list[Node] = []
        self.stack: tuple[Frame, ...] = ()
        self.prefix = ""
        self.statement: ast.Statement | None = None  # the one at hand
        self.parameters = 0
        self.swapped: str | None = None  # how to write an input that has its channels last
        self._doubts: dict[int, Doubts] = {}
        self._counts: dict[str, int] = {}
        self._paths: set[str] = set()

    def path(self, word: str, label: str | None) -> str:
        """A path that no node has: the label, or word and index, behind the blocks around."""
        if label is not None and self.prefix + label not in self._paths:
            return self._take(self.prefix + label)
        base = self.prefix + (label or word)
        while True:
            self._counts[base] = self._counts.get(base, 0) + 1
            found = f"{base}_{self._counts[base]}"
            if found not in self._paths:
                return self._take(found)

    def _take(self, path: str) -> str:
        self._paths.add(path)
        return path

    def apply(
        self,
        layer: Layer,
        binding: Binding,
        xs: tuple[Tensor, ...],
        path: str,
        follows: bool = False,
        doubts: Doubts = SURE,
    ) -> Tensor:
        """Add a layer behind the given tensors and return its output."""
        shapes = [x.shape for x in xs if x.shape is not None]
        if len(shapes) < len(xs):
            return UNKNOWN
        inputs = tuple(shapes)
        if self._doubts:
            doubts = doubts.union(*(self._doubts.get(x.index, SURE) for x in xs))
        try:
            shape = layer.infer(inputs)
        except Reject as reject:
            return self._rejected(layer, reject, binding, xs, doubts)
        made = self._add(layer, binding, xs, inputs, shape, path, follows)
        passed = recovery.passed_on(layer, inputs, shape, doubts) if doubts else SURE
        return self._doubting(made, passed)

    def _doubting(self, tensor: Tensor, doubts: Doubts) -> Tensor:
        """Remember that a part of a tensor's shape is only assumed."""
        if doubts:
            self._doubts[tensor.index] = doubts
        return tensor

    def _rejected(
        self, layer: Layer, reject: Reject, binding: Binding, xs: tuple[Tensor, ...], doubts: Doubts
    ) -> Tensor:
        """Complain, unless it may be due to an earlier error, and go on with an assumed shape."""
        inputs = tuple(x.shape or () for x in xs)
        if not recovery.hides(reject.code, inputs, doubts):
            self._reject(layer, reject, binding, xs)
        if reject.assume is None:
            return UNKNOWN
        node = Node("", layer, (), reject.assume, (), 0, binding.span, self.stack)
        return self._doubting(self._append(node), doubts | recovery.left_by(reject.code, inputs))

    def _append(self, node: Node) -> Tensor:
        if len(self.nodes) >= limits.LAYERS:
            hint = "use fewer repeats"
            raise LimitExceeded("E903", f"more than {limits.LAYERS:,} layers", node.span, hint)
        self.nodes.append(node)
        return Tensor(len(self.nodes) - 1, node.shape)

    def _add(
        self,
        layer: Layer,
        binding: Binding,
        xs: tuple[Tensor, ...],
        inputs: tuple[Shape, ...],
        shape: Shape,
        path: str,
        follows: bool,
    ) -> Tensor:
        params = layer.params(inputs[0]) if inputs else ()
        self._check_size(shape, params, binding.span)
        if inputs:
            _check_window(layer, inputs[0], binding.span)
        macs = layer.macs(inputs[0], shape) if inputs else 0
        positions = tuple(x.index for x in xs)
        node = Node(
            path, layer, positions, shape, params, macs, binding.span, self.stack, follows,
            self.statement and self.statement.span, binding.spans,
        )  # fmt: skip
        return self._append(node)

    def _check_size(self, shape: Shape, params: tuple[Param, ...], span: Span) -> None:
        self.parameters += sum(prod(p.shape) for p in params)
        if self.parameters > limits.PARAMETERS:
            message = f"more than {limits.PARAMETERS:,} parameters"
            raise LimitExceeded("E905", message, span, "use fewer filters, or `gap` before `dense`")
        if prod(shape) > limits.ELEMENTS:
            message = f"an activation of {show(shape)} holds {prod(shape):,} values a sample"
            raise LimitExceeded("E906", message, span, f"the limit is {limits.ELEMENTS:,}")

    def _reject(
        self, layer: Layer, reject: Reject, binding: Binding, xs: tuple[Tensor, ...]
    ) -> None:
        span = binding.spans.get(reject.arg or "", binding.span)
        assert self.statement is not None
        positions = tuple(x.index for x in xs)
        spot = Spot(layer, self.statement, binding, self.nodes, positions, self.stack)
        hint, fix = advice(reject, spot)
        if reject.code == "E201" and self.swapped:
            hint, fix = self.swapped, None
        self.reporter.report(reject.code, reject.message, span, hint, self._origins(xs), fix)

    def _origins(self, xs: tuple[Tensor, ...]) -> tuple[str, ...]:
        notes = list[str]()
        for i, x in enumerate(xs):
            node = self.nodes[x.index]
            which = "the input here" if len(xs) == 1 else f"input {i + 1}"
            place = self.statement.span.source if self.statement else node.span.source
            notes.append(f"{which} is {show(node.shape)}, {_written(node, place)}")
        if len(xs) == 1:
            notes += self._journey(xs[0])
        return tuple(notes)

    def _journey(self, x: Tensor) -> list[str]:
        """The last changes of the shape on the way here."""
        node = self.nodes[x.index]
        steps = [node]
        while node.inputs:
            node = self.nodes[node.inputs[0]]
            if node.shape == steps[-1].shape:
                steps[-1] = node
            else:
                steps.append(node)
        if len(steps) < 3:
            return []
        shown = [f"{show(s.shape)} (line {s.line})" for s in reversed(steps[:6])]
        start = "… → " if len(steps) > 6 else ""
        return [f"the shape on its way: {start}{' → '.join(shown)}"]

    def calls(self, place: Source) -> tuple[str, ...]:
        """The block calls on the way here, innermost first, as notes to a place in a file."""
        return tuple(
            f"in `{frame.call}`, called at {line_of(frame.span, place)}"
            for frame in reversed(self.stack)
        )

    def snapshot(self) -> dict[str, Any]:
        """What a block call changes and its end restores."""
        return {"stack": self.stack, "prefix": self.prefix}

    def restore(self, state: dict[str, Any]) -> None:
        """Back to a snapshot."""
        self.stack, self.prefix = state["stack"], state["prefix"]


def _check_window(layer: Layer, x: Shape, span: Span) -> None:
    """Padding and dilation let a window pass that is far larger than what it slides over."""
    window = layer.window(x)
    if window is not None and prod(window.reach) > limits.ELEMENTS:
        message = f"a window of {window.reach[0]:.0f}x{window.reach[1]:.0f} places"
        raise LimitExceeded("E906", message, span, f"the limit is {limits.ELEMENTS:,}")


def _written(node: Node, place: Source) -> str:
    text = node.text if len(node.text) <= 40 else node.text[:37] + "…"
    return f"from `{text}` at {line_of(node.span, place)}"
