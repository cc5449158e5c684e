"""Every stage of the compiler as text: for the curious, and for golden tests."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnndsl.fields import specs
from cnndsl.ir import Model, Node
from cnndsl.passes.includes import read
from cnndsl.report.listing import listing
from cnndsl.shapes import show
from cnndsl.source import Failed, Span
from cnndsl.syntax import parser

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnndsl.graph.pipeline import Pipeline, State
    from cnndsl.lower.driver import Plan


def tokens(file: Path) -> str:
    """The tokens as the parser gets them, one a line."""
    return "\n".join(
        f"{t.line}:{t.column}\t{t.type}\t{str(t)!r}" for t in parser.tokens(read(file))
    )


def syntax_tree(file: Path) -> str:
    """The syntax tree, indented; Failed where the text does not parse."""
    tree, errors = parser.parse(read(file))
    if errors:
        raise Failed(errors)
    return "\n".join(_tree(node, 0) for node in tree.body)


def _tree(node: Any, depth: int) -> str:
    pad = "  " * depth
    if isinstance(node, tuple):
        return "\n".join(_tree(item, depth) for item in cast("tuple[Any, ...]", node))
    if not is_dataclass(node):
        return f"{pad}{node!r}"
    inner = [(f.name, getattr(node, f.name)) for f in fields(node)]
    parts = [(k, v) for k, v in inner if not _is_place(v) and v not in (None, ())]
    plain = [f"{k}={v!r}" for k, v in parts if not is_dataclass(v) and not isinstance(v, tuple)]
    deep: list[Any] = [v for _, v in parts if is_dataclass(v) or isinstance(v, tuple)]
    head = f"{pad}{type(node).__name__} {' '.join(plain)}".rstrip()
    return "\n".join([head, *(_tree(v, depth + 1) for v in deep)])


def _is_place(value: Any) -> bool:
    """Whether a value is a span, or a tuple of them."""
    if isinstance(value, tuple) and value:
        return all(isinstance(item, Span) for item in cast("tuple[Any, ...]", value))
    return isinstance(value, Span)


def model_text(model: Model) -> str:
    """Nodes with their inputs, settings, shapes and parameters."""
    return "\n".join(_node(model, node) for node in model.nodes) + "\n" + "\n".join(
        f"output {name} = {model.nodes[i].path}" for name, i in model.outputs.items()
    )  # fmt: skip


def _node(model: Model, node: Node) -> str:
    inputs = ", ".join(model.nodes[i].path for i in node.inputs)
    said = [
        f"{spec.name}={getattr(node.layer, spec.name)}"
        for spec in specs(type(node.layer))
        if getattr(node.layer, spec.name) != spec.default or spec.required
    ]
    params = " ".join(f"{p.name}[{show(p.shape)}]" for p in node.params)
    text = f"{node.path} = {node.layer.word}({inputs}) {' '.join(said)}".rstrip()
    return f"{text} -> {show(node.shape)}" + (f"  {params}" if params else "")


@dataclass(frozen=True)
class Graph:
    """A pipeline, where it starts for a model, and the ONNX file that it ends in."""

    model: Model
    pipeline: "Pipeline[Any]"
    start: "State"
    onnx: "Callable[[], ModelProto]"

    def text(self, stage: str) -> str:
        """The listing behind a stage; `tape` is behind the last, `onnx` the file's own form."""
        from cnndsl.graph.pipeline import run

        if stage == "onnx":
            return self._onnx_text()
        return self.listing(run(self.pipeline, self.start, until=stage))

    def listing(self, state: "State") -> str:
        """A state of the pipeline, with the lines of the spec."""
        origins = {node.path: node.origin for node in self.model.nodes}
        return listing(state.tape, state.results(), origins)

    def verify(self) -> int:
        """The number of passes; InvalidTape where one leaves shapes or types that are not so."""
        from cnndsl.graph.pipeline import run, verified

        run(self.pipeline, self.start, behind=verified)
        return len(self.pipeline)

    def _onnx_text(self) -> str:
        """In ONNX's own textual form, tensors left out."""
        import onnx.printer

        proto = self.onnx()
        del proto.graph.initializer[:]
        return onnx.printer.to_text(proto)


def inference_graph(model: Model, batch: int | None, optimize: str | None, plan: "Plan") -> Graph:
    """The inference graph with fresh weights; UserError for options that make none."""
    from cnndsl.backend.artifact import inference_model
    from cnndsl.backend.inference import InferenceState, Options
    from cnndsl.backend.pipelines import INFERENCE
    from cnndsl.weights.initial import initial_weights

    options = Options(batch=batch, optimize=optimize, plan=plan)
    options.check(model)
    weights = initial_weights(model)
    start = InferenceState(model=model, weights=weights, options=options)
    return Graph(model, INFERENCE, start, lambda: inference_model(model, weights, options))


def step_graph(model: Model, batch: int | None, micro_batch: int | None, plan: "Plan") -> Graph:
    """The training step by the spec's recipe, of fresh weights where these are frozen.

    UserError for parts that make no batch, and for patterns of layers that name nothing.
    """
    from cnndsl.backend.artifact import step_model
    from cnndsl.backend.pipelines import STEP
    from cnndsl.backend.step import StepOptions, begun, freezing
    from cnndsl.learned import check_patterns
    from cnndsl.recipe import Recipe
    from cnndsl.recipe_checks import micro_batches
    from cnndsl.weights.initial import initial_weights

    recipe = model.recipe or Recipe()
    size = batch or recipe.batch
    parts = micro_batches(size, micro_batch or size)
    check_patterns(model, recipe)
    options = StepOptions(size, parts, plan, bool(recipe.augment.mixup))
    if recipe.freeze:
        options = freezing(options, model, recipe, initial_weights(model))
    start = begun(model, recipe, options)
    return Graph(
        model, STEP, start, lambda: step_model(model, recipe, options, initial_weights(model))
    )
