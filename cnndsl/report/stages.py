"""Every stage of the compiler as text: for the curious, and for golden tests."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnndsl.fields import specs
from cnndsl.ir import Model, Node
from cnndsl.passes.includes import read
from cnndsl.shapes import show
from cnndsl.source import Failed, Span
from cnndsl.syntax import parser

if TYPE_CHECKING:
    from cnndsl.graph.tape import Tape


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
    parts = [(k, v) for k, v in inner if not isinstance(v, Span) and v not in (None, ())]
    plain = [f"{k}={v!r}" for k, v in parts if not is_dataclass(v) and not isinstance(v, tuple)]
    deep: list[Any] = [v for _, v in parts if is_dataclass(v) or isinstance(v, tuple)]
    head = f"{pad}{type(node).__name__} {' '.join(plain)}".rstrip()
    return "\n".join([head, *(_tree(v, depth + 1) for v in deep)])


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


def tape_text(model: Model) -> str:
    """The inference graph before export: operators with shapes."""
    from cnndsl.backend.inference import Options
    from cnndsl.backend.pipelines import inference_tape
    from cnndsl.weights.initial import initial_weights

    return show_tape(inference_tape(model, initial_weights(model), Options()))


def show_tape(tape: "Tape") -> str:
    """A tape, one operator a line."""
    lines = [f"input {v.name}: {v.dtype}{list(v.shape)}" for v in tape.inputs]
    for node in tape.nodes:
        given = ", ".join(v.name if v is not None else "-" for v in node.inputs)
        attrs = " ".join(f"{k}={node.attrs[k]}" for k in sorted(node.attrs))
        made = ", ".join(f"{v.name}: {list(v.shape)}" for v in node.outputs)
        lines.append(f"{made} = {node.op}({given}) {attrs}".rstrip())
    lines += [f"output {name} = {v.name}" for name, v in tape.outputs.items()]
    return "\n".join(lines)


def onnx_text(model: Model) -> str:
    """The exported graph in ONNX's own textual form, tensors left out."""
    import onnx.printer

    from cnndsl.backend.artifact import inference_model
    from cnndsl.backend.inference import Options
    from cnndsl.weights.initial import initial_weights

    proto = inference_model(model, initial_weights(model), Options())
    del proto.graph.initializer[:]
    return onnx.printer.to_text(proto)
