"""Models of strangers given to `cnndsl run`: refused before a session opens them, with a reason."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from budget import LONG, Figure, count
from onnx import ModelProto, TensorProto, helper, numpy_helper
from processes import cnndsl

import cnndsl as package
from cnndsl.cli import group
from cnndsl.runtime import predict
from cnndsl.source import UserError

Change = Callable[[ModelProto], object]
FLOAT = TensorProto.FLOAT


def good() -> ModelProto:
    return package.parse("input 3x8x8; conv 4 3x3 bn relu; gap; flatten; dense 3").to_onnx()


def external(tensor: TensorProto) -> TensorProto:
    """As onnx itself would keep a tensor in a file."""
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "/etc/passwd"), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def stray() -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(1, np.float32), "stray")
    return external(tensor)


def sparse() -> onnx.SparseTensorProto:
    place = numpy_helper.from_array(np.zeros(1, np.int64), "place")
    return helper.make_sparse_tensor(stray(), place, [4])


def add_node(model: ModelProto, kind: str, *inputs: str, **attributes: object) -> None:
    made = helper.make_node(kind, list(inputs), [f"made_{kind}"], **attributes)
    model.graph.node.append(made)


def second_input(model: ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("z", FLOAT, [1]))
    add_node(model, "Relu", "z")


def nested(depth: int) -> Change:
    """`If` in `If` in `If`. Deeper than 100 levels protobuf itself does not go."""

    def change(model: ModelProto) -> None:
        graph = onnx.GraphProto(name="innermost")
        for _ in range(depth):
            made = onnx.NodeProto(op_type="If", input=["c"], output=["y"])
            made.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH, g=graph)
            graph = onnx.GraphProto(name="outer", node=[made])
        model.graph.node.extend(graph.node)

    return change


def dims(field: str, *sizes: int) -> Change:
    def change(model: ModelProto) -> None:
        value = getattr(model.graph, field)[0]
        value.CopyFrom(helper.make_tensor_value_info(value.name, FLOAT, sizes))

    return change


def initializer_dims(model: ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 2**40


def expanded(*sizes: int) -> Change:
    """A constant shape from which onnxruntime would make an enormous tensor as it opens."""

    def change(model: ModelProto) -> None:
        shape = numpy_helper.from_array(np.array(sizes, np.int64), "sizes")
        model.graph.initializer.append(shape)
        add_node(model, "ConstantOfShape", "sizes")

    return change


def circle(model: ModelProto) -> None:
    first, last = model.graph.node[0], model.graph.node[-1]
    first.input[0] = last.output[0]


def renamed_domain(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.evil"
    model.opset_import.add(domain="com.evil", version=1)


def function(model: ModelProto) -> None:
    node = helper.make_node("Relu", ["a"], ["b"])
    made = helper.make_function("", "Mine", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    model.functions.append(made)


def metadata(key: str, value: str) -> Change:
    return lambda model: model.metadata_props.add(key=key, value=value)


def constant(**attributes: object) -> Change:
    def change(model: ModelProto) -> None:
        node = helper.make_node("Constant", [], ["made"])
        for name, value in attributes.items():
            node.attribute.append(helper.make_attribute(name, value))
        model.graph.node.append(node)

    return change


# What is done to a good model, and a part of what is said.
REFUSED: dict[str, tuple[Change, str]] = {
    "external initialiser": (lambda m: external(m.graph.initializer[0]), "other files"),
    "external constant": (constant(value=stray()), "other files"),
    "external list": (constant(tensors=[stray()]), "other files"),
    "external sparse weight": (lambda m: m.graph.sparse_initializer.append(sparse()), "sparse"),
    "external sparse constant": (constant(sparse_value=sparse()), "sparse"),
    "external in a subgraph": (
        constant(g=helper.make_graph([], "g", [], [], [stray()])), "subgraphs",
    ),
    "external without entries": (
        lambda m: setattr(m.graph.initializer[0], "data_location", TensorProto.EXTERNAL),
        "other files",
    ),
    "2^40 in the input": (dims("input", 1, 3, 2**40, 8), "impossible dimensions"),
    "2^40 in the output": (dims("output", 1, 2**40), "impossible dimensions"),
    "2^40 in a weight": (initializer_dims, "impossible dimensions"),
    "numbers of another type": (
        lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.INT8), "do not fit",
    ),
    "2^20 times 2^20": (dims("input", 1, 3, 2**20, 2**20), "impossible dimensions"),
    "negative": (dims("input", 1, 3, -8, 8), "impossible dimensions"),
    "2^40 on the way": (expanded(2**40), "impossible dimensions"),
    "2^40 as a product": (expanded(2**20, 2**20), "impossible dimensions"),
    "no fixed size": (dims("input", 1, 3, 0, 0), "fixed size"),
    "a vector of vectors": (dims("input", 1, 3, 8), "fixed size"),
    "text as input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.STRING),
        "fixed size",
    ),
    "no inputs": (lambda m: m.graph.ClearField("input"), "0 inputs"),
    "two inputs": (second_input, "2 inputs"),
    "no outputs": (lambda m: m.graph.ClearField("output"), "0 outputs"),
    "input from nowhere": (lambda m: m.graph.node[0].input.__setitem__(0, "none"), "not a valid"),
    "output from nowhere": (lambda m: setattr(m.graph.output[0], "name", "none"), "not a valid"),
    "circle": (circle, "not a valid"),
    "unknown domain": (renamed_domain, "domain com.evil"),
    "unknown operator": (lambda m: setattr(m.graph.node[0], "op_type", "Evil"), "not a valid"),
    "unknown opset": (lambda m: setattr(m.opset_import[0], "version", 9999), "cannot open"),
    "unknown version": (lambda m: setattr(m, "ir_version", 9999), "not a valid"),
    "function": (function, "functions"),
    "training": (lambda m: m.training_info.add(), "training"),
    "one If": (nested(1), "subgraphs"),
    "30 Ifs": (nested(30), "subgraphs"),
    "classes that are no JSON": (metadata("cnndsl_classes", "[["), "metadata"),
    "deep JSON": (metadata("cnndsl_classes", "[" * 100_000), "metadata"),
    "numbers for classes": (metadata("cnndsl_classes", "3"), "metadata"),
    "no mean": (metadata("cnndsl_normalisation", "{}"), "metadata"),
    "a text as mean": (metadata("cnndsl_normalisation", '{"mean": "a", "std": [1]}'), "metadata"),
}  # fmt: skip
AFTER_OPENING = {name for name, (_, said) in REFUSED.items() if said in ("metadata", "cannot open")}


def changed(path: Path, change: Change) -> Path:
    model = good()
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def _varint(number: int) -> bytes:
    low, rest = number % 128, number // 128
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def deep_file(path: Path, depth: int) -> Path:
    """`If` in `If` as protobuf's writer would not write it: fields in fields, innermost first."""
    data = b""
    for _ in range(depth):
        for tag in (b"\x32", b"\x2a", b"\x0a"):  # attribute.g, node.attribute, graph.node
            data = tag + _varint(len(data)) + data
    path.write_bytes(good().SerializeToString() + b"\x3a" + _varint(len(data)) + data)
    return path


def refusal(path: Path) -> str:
    """What is said, in the long form by the command line."""
    if not LONG:
        with pytest.raises(UserError) as refused:
            predict.open_predictor(path)
        return str(refused.value)
    ended = cnndsl("run", path, path.with_name("x.npy"))
    assert (ended.code, ended.out) == (2, ""), ended
    return ended.err


def test_foreign_models_are_refused(
    tmp_path: Path, figure: Figure, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[str]()
    open_session = predict.open_session
    monkeypatch.setattr(predict, "open_session", lambda *a: opened.append(name) or open_session(*a))
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8), np.float32))
    for name, (change, said) in REFUSED.items():
        assert said in refusal(changed(tmp_path / "model.onnx", change)), name
    assert set(opened) <= AFTER_OPENING
    assert "nested too deeply" in refusal(deep_file(tmp_path / "model.onnx", 10_000))
    figure(f"foreign models: {len(REFUSED)} refused, {len(REFUSED) - len(AFTER_OPENING)} of them "
           "before a session opened them")  # fmt: skip


def test_the_good_model_runs(tmp_path: Path) -> None:
    """What the refusals do not rest on; names of classes cannot steer the terminal."""
    names = json.dumps(["\x1b[31mred", "\u202egreen", "blue"])
    path = changed(tmp_path / "model.onnx", metadata("cnndsl_classes", names))
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8), np.float32))
    ended = cnndsl("run", path, tmp_path / "x.npy")
    assert ended.code == 0, ended.err
    assert "blue" in ended.out
    assert not {"\x1b", "\u202e"} & set(ended.out)


def decompiled(path: Path, *options: str) -> None:
    """Read back by the command line, its errors as exceptions."""
    group.main(["decompile", str(path), *options], standalone_mode=False)


def test_decompile_refuses_the_same_models(tmp_path: Path) -> None:
    for name in REFUSED.keys() - AFTER_OPENING:
        change, said = REFUSED[name]
        for options in ((), ("--graph",)):
            with pytest.raises(UserError, match=said.replace("^", r"\^")):
                decompiled(changed(tmp_path / "model.onnx", change), *options)
    with pytest.raises(UserError, match="nested too deeply"):
        decompiled(deep_file(tmp_path / "model.onnx", 10_000))


def test_damaged_models_are_decompiled_or_refused(tmp_path: Path, figure: Figure) -> None:
    """Bytes changed anywhere but in the weights: a spec, or a reason."""
    model = good()
    del model.metadata_props[:]
    data, rng, read = model.SerializeToString(), np.random.default_rng(0), 0
    rounds = count(300, 20_000)
    for _ in range(rounds):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            broken[place] = rng.integers(0, 256)
        (tmp_path / "broken.onnx").write_bytes(broken)
        try:
            decompiled(tmp_path / "broken.onnx", "--graph")
            read += 1
        except UserError:
            continue
    figure(f"damaged models: {rounds - read:,} of {rounds:,} refused by decompile, the rest read")


def test_truncated_models(tmp_path: Path, figure: Figure) -> None:
    """A file cut off between two of its last entries is a whole one with fewer of them."""
    data, whole = good().SerializeToString(), 0
    cuts = range(0, len(data), count(50, 1))
    for size in cuts:
        (tmp_path / "cut.onnx").write_bytes(data[:size])
        try:
            whole += bool(predict.open_predictor(tmp_path / "cut.onnx"))
        except UserError:
            continue
    figure(f"truncated models: {len(cuts) - whole:,} of {len(cuts):,} refused, "
           f"{whole} whole but for trailing metadata")  # fmt: skip
    assert whole <= len(good().metadata_props)
