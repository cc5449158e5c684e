"""Models of others: `run` and `predict` answer rightly or refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import cnndsl
from cnndsl.cli import main

LOGITS = np.array([0.5, 2.0, -1.0], np.float32)
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum()
IMAGE = np.zeros((3, 4, 4), np.float32)


def model(*end: str, values: Any = LOGITS, outputs: tuple[str, ...] = ("y",),
          layout: tuple[int, ...] = (3, 4, 4)) -> onnx.ModelProto:  # fmt: skip
    """The mean of the input over itself times 0, plus `values`, then the operators of the end."""
    weights = np.broadcast_to(np.float32(0), (int(np.prod(layout)), values.size))
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["0"]),
        *(helper.make_node(op, [str(i)], [str(i + 1)]) for i, op in enumerate(end)),
        *(helper.make_node("Identity", [str(len(end))], [name]) for name in outputs),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", values.size])
            for name in outputs]  # fmt: skip
    held = {"w": np.ascontiguousarray(weights), "b": values}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *layout])], ends,
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def command(*arguments: object) -> object:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    return left.value.code


@pytest.mark.parametrize("end", [(), ("Softmax",), ("LogSoftmax",), ("Softmax", "Identity")])
def test_probabilities_are_taken_as_they_are(end: tuple[str, ...]) -> None:
    [answer] = cnndsl.predict(model(*end), IMAGE)
    assert dict(answer) == pytest.approx(
        {f"class {i}": p for i, p in enumerate(SOFTMAX.tolist())}, abs=1e-6
    )


def test_a_file_of_16_bits_whose_operators_are_out_of_order_runs(tmp_path: Path) -> None:
    tools = pytest.importorskip("onnxruntime.transformers.float16")
    half = tools.convert_float_to_float16(model("Softmax"), keep_io_types=True)
    nodes = [type(node).FromString(node.SerializeToString()) for node in half.graph.node]
    del half.graph.node[:]
    half.graph.node.extend(nodes[::-1])
    (tmp_path / "half.onnx").write_bytes(half.SerializeToString())
    (answer,) = cnndsl.predict(tmp_path / "half.onnx", IMAGE)
    assert answer[0][1] == pytest.approx(SOFTMAX[1], abs=1e-3)


def test_a_sigmoid_at_the_end_is_a_probability_of_each() -> None:
    [answer] = cnndsl.predict(model("Sigmoid"), IMAGE)
    chances = 1 / (1 + np.exp(-LOGITS))
    assert dict(answer) == pytest.approx({"label 0": chances[0], "label 1": chances[1]}, abs=1e-6)


@pytest.mark.parametrize("shape", [(1,), (1, 6, 2), (1, 3, 2, 2), (1, 1)])
def test_what_gives_no_scores_of_classes_is_refused(shape: tuple[int, ...]) -> None:
    proto = model(values=np.zeros(int(np.prod(shape[1:])) or 1, np.float32))
    dims = np.array([-1, *shape[1:]] if shape[1:] else [-1, 1])
    proto.graph.initializer.append(numpy_helper.from_array(dims, "shape"))
    proto.graph.node[-1].CopyFrom(helper.make_node("Reshape", ["0", "shape"], ["y"]))
    proto.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", *dims.tolist()[1:]])
    )
    with pytest.raises(cnndsl.UserError, match=r"tells of no task.*no scores of classes"):
        cnndsl.predict(proto, IMAGE)


def test_of_several_outputs_one_is_named() -> None:
    proto = model(outputs=("first", "second"))
    with pytest.raises(
        cnndsl.UserError, match=r"several outputs: `first`, `second`\n  say which: output='first'"
    ):
        cnndsl.predict(proto, IMAGE)
    assert cnndsl.predict(proto, IMAGE, output="second")[0][0][0] == "class 1"
    with pytest.raises(cnndsl.UserError, match="no output `c` of scores; it has `first`, `second`"):
        cnndsl.predict(proto, IMAGE, output="c")


def test_images_may_have_their_channels_last() -> None:
    proto = model(layout=(4, 4, 3))
    assert cnndsl.predict(proto, np.zeros((4, 4, 3)))[0][0][0] == "class 1"
    square = model(layout=(3, 4, 3))
    assert cnndsl.predict(square, np.zeros((3, 4, 3)), layout="nhwc")[0][0][0] == "class 1"
    with pytest.raises(cnndsl.UserError, match="layout: unknown `NHCW`; give one of nchw, nhwc"):
        cnndsl.predict(square, np.zeros((3, 4, 3)), layout="NHCW")
    with pytest.raises(cnndsl.UserError, match=r"takes N x \(3, 4, 4\)"):
        cnndsl.predict(model(), np.zeros((4, 4, 3)))


def test_preprocessing_that_is_not_told_is_said_and_can_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "red.png")
    path, red = tmp_path / "m.onnx", str(tmp_path / "red.png")
    weights = np.zeros((48, 3), np.float32)
    weights[0, 0] = 1  # the red of the first pixel
    proto = model(values=np.zeros(3, np.float32))
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
    path.write_bytes(proto.SerializeToString())
    assert command("run", path, red, "--raw") == 0
    said = capsys.readouterr()
    assert "tells of no preprocessing" in said.err
    assert '"y": [[1.0, 0.0, 0.0]]' in said.out
    assert command("run", path, red, "--raw", "--mean", "0.5", "--std", "0.25,1,1") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert '"y": [[2.0, 0.0, 0.0]]' in said.out
