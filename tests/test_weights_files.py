"""Weights of NumPy and of ONNX files, as those of every other format."""

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import cnndsl
from cnndsl.source import UserError
from cnndsl.weights import read_raw
from cnndsl.weights.fit import read_weights

MODEL = cnndsl.parse(
    "input 3x6x6; conv 8 3x3 same bn relu; residual { conv 8 3x3 same bn }; flatten; dense 5"
)
WEIGHTS = {n: np.asarray(a) for n, a in MODEL.initial_weights(seed=1).items()}


def test_numpy(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "w.npz", **WEIGHTS)
    found = read_weights(tmp_path / "w.npz", MODEL.ir).tensors
    assert all(np.array_equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


def test_numpy_in_order(tmp_path: Path) -> None:
    renamed = {f"net.{n.replace('_', '', 1)}": a for n, a in WEIGHTS.items()}
    np.savez(tmp_path / "w.npz", **{n: np.asfortranarray(a) for n, a in renamed.items()})
    found = read_weights(tmp_path / "w.npz", MODEL.ir).tensors
    assert all(np.array_equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


def test_pickles_in_numpy_are_refused(tmp_path: Path) -> None:
    class Canary:
        def __reduce__(self):
            return (Path.write_text, (tmp_path / "canary", "ran"))

    np.savez(tmp_path / "w.npz", a=np.array([Canary()], dtype=object))
    with pytest.raises(UserError, match=r"w\.npz: cannot be read as arrays of NumPy.*no numbers"):
        read_raw(tmp_path / "w.npz")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("shape", ["(9000000000,)", "(-1,)", "(2, 2", "(2,)"])
def test_headers_that_lie_are_refused(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(4)
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(UserError, match="cannot be read as arrays of NumPy"):
        read_raw(tmp_path / "w.npz")


@pytest.mark.parametrize("fold", [True, False])
def test_our_own_onnx(tmp_path: Path, fold: bool) -> None:
    """A norm that was folded comes back as one that only adds."""
    ort = pytest.importorskip("onnxruntime")
    graph = MODEL.to_onnx(WEIGHTS, fold=fold, mean=0.5, std=0.25)
    onnx.save(graph, tmp_path / "m.onnx")
    found = read_weights(tmp_path / "m.onnx", MODEL.ir)
    assert (found.info.mean, found.info.std) == ((0.5,), (0.25,))
    again = MODEL.to_onnx(found.tensors)
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    ours, theirs = (ort.InferenceSession(g.SerializeToString()).run(None, {"input": x})[0]
                    for g in (again, graph))  # fmt: skip
    assert np.abs(ours - theirs).max() < 1e-5


def number(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


FOREIGN = {
    "c1": number(8, 3, 3, 3), "b1": number(8), "c2": number(8, 8, 3, 3), "b2": number(8),
    "w": number(288, 5), "zero": np.zeros(5, np.float32),
}  # fmt: skip


def foreign(path: Path, external: bool = False) -> Path:
    """The shortcut's sum before the body's last layer, a product with rows of inputs."""
    nodes = [
        helper.make_node("Conv", ["x", "c1", "b1"], ["a"], name="/stem/Conv", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "c2", "b2"], ["b"], pads=[1] * 4),
        helper.make_node("Add", ["r", "b"], ["s"]),
        helper.make_node("Flatten", ["s"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    tensors = [numpy_helper.from_array(a, n) for n, a in FOREIGN.items()]
    if external:
        tensors[0].data_location = TensorProto.EXTERNAL
        tensors[0].external_data.add(key="location", value="/etc/passwd")
    sides = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
             for n, s in (("x", [1, 3, 6, 6]), ("y", [1, 5]))]  # fmt: skip
    graph = helper.make_graph(nodes, "g", sides[:1], sides[1:], tensors)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def test_operators_of_others_by_the_order_of_their_graph(tmp_path: Path) -> None:
    found = read_weights(foreign(tmp_path / "m.onnx"), MODEL.ir).tensors
    assert np.array_equal(found["conv_1.weight"], FOREIGN["c1"])
    assert np.array_equal(found["bn_1.running_mean"], -FOREIGN["b1"])
    assert np.array_equal(found["conv_2.weight"], FOREIGN["c2"])
    assert np.array_equal(found["dense_1.weight"], FOREIGN["w"].T)
    assert found["dense_1.bias"].tolist() == [0] * 5  # left out, as it was zero


def test_tensors_in_other_files_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`c1` stands in another file, which is not read"):
        read_raw(foreign(tmp_path / "m.onnx", external=True))


def test_damaged_onnx(tmp_path: Path) -> None:
    data = foreign(tmp_path / "m.onnx").read_bytes()
    for size in range(2, len(data), len(data) // 40):
        (tmp_path / "cut.onnx").write_bytes(data[:size])
        with pytest.raises(UserError, match=r"cut\.onnx"):
            read_weights(tmp_path / "cut.onnx", MODEL.ir)
