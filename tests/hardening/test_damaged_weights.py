"""Weights and checkpoints that do not fit or have changed: found out, with what to do."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from budget import Figure, count
from safetensors.numpy import load, save

import cnndsl
from cnndsl.source import UserError
from cnndsl.training import checkpoint
from cnndsl.weights.fit import read_weights
from cnndsl.weights.safetensors import pack_weights

MODEL = cnndsl.parse("input 3x8x8\nconv 4 3x3 bn relu; gap; flatten; dense 3")
GOOD = {name: np.array(a) for name, a in MODEL.initial_weights().items()}
Tensors = dict[str, np.ndarray]


def with_(name: str, array: np.ndarray | None) -> Tensors:
    return {n: a for n, a in {**GOOD, name: array}.items() if a is not None}


def filled(value: float) -> np.ndarray:
    changed = GOOD["conv_1.weight"].copy()
    changed.flat[5] = value
    return changed


KERNEL = GOOD["conv_1.weight"]
UNFIT: dict[str, tuple[Tensors, str]] = {
    "missing": (with_("conv_1.weight", None), "1 missing: conv_1.weight"),
    "surplus": (with_("conv_9.weight", KERNEL), "1 not in the model: conv_9.weight"),
    "transposed": (with_("dense_1.weight", GOOD["dense_1.weight"].T), "of another shape"),
    "larger": (with_("conv_1.weight", np.zeros((8, 3, 3, 3), np.float32)), "is 8x3x3x3"),
    "flat": (with_("conv_1.weight", KERNEL.reshape(-1)), "of another shape"),
    "scalar": (with_("conv_1.weight", np.float32(1).reshape(())), "of another shape"),
    "empty": (with_("conv_1.weight", np.zeros((0, 3, 3, 3), np.float32)), "is 0x3x3x3"),
    "int64": (with_("conv_1.weight", KERNEL.astype(np.int64)), "not float"),
    "uint8": (with_("conv_1.weight", KERNEL.astype(np.uint8)), "not float"),
    "bool": (with_("conv_1.weight", KERNEL > 0), "not float"),
    "NaN": (with_("conv_1.weight", filled(np.nan)), "not finite"),
    "infinity": (with_("conv_1.weight", filled(np.inf)), "not finite"),
    "float64 too large": (with_("conv_1.weight", KERNEL.astype(float) + 1e300), "not finite"),
}  # fmt: skip


@pytest.mark.parametrize("pack", [pack_weights, save], ids=["ours", "others"])
@pytest.mark.parametrize("name", UNFIT)
def test_weights_that_do_not_fit(
    tmp_path: Path, name: str, pack: Callable[[Tensors], bytes]
) -> None:
    tensors, said = UNFIT[name]
    path = tmp_path / "w.safetensors"
    path.write_bytes(pack({n: np.ascontiguousarray(a) for n, a in tensors.items()}))
    with pytest.raises(UserError, match=said) as refused:
        read_weights(path, MODEL.ir)
    mend = "an earlier checkpoint" if said == "not finite" else "tensor names are the paths"
    assert mend in str(refused.value)


@pytest.mark.parametrize("pack", [pack_weights, save], ids=["ours", "others"])
def test_a_file_without_tensors_does_not_fit(
    tmp_path: Path, pack: Callable[[Tensors], bytes]
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(pack({}))
    with pytest.raises(UserError, match="does not fit the model: 0 modules, the model has 3"):
        read_weights(path, MODEL.ir)


@pytest.mark.parametrize("pack", [pack_weights, save], ids=["ours", "others"])
def test_renamed_tensors_are_matched_by_their_modules(
    tmp_path: Path, pack: Callable[[Tensors], bytes]
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(pack({f"model.{n}": a for n, a in GOOD.items()}))
    found = read_weights(path, MODEL.ir).tensors
    assert found.keys() == GOOD.keys()
    assert all(np.array_equal(found[name], GOOD[name]) for name in GOOD)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_damaged_weights(tmp_path: Path, figure: Figure) -> None:
    """Cut off anywhere, or with any one bit another."""
    data, path, rng = pack_weights(GOOD), tmp_path / "w.safetensors", Random(1)
    cuts = rng.sample(range(len(data)), count(60, 500))
    bits = rng.sample(range(8 * len(data)), count(150, 1000))
    for damaged in (*(data[:size] for size in cuts), *(flipped(data, bit) for bit in bits)):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="take another copy of the file"):
            read_weights(path, MODEL.ir)
    figure(f"damaged weights: {len(cuts)} cut off and {len(bits)} with a flipped bit, all refused")


def test_weights_of_others_have_no_hash(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(save(GOOD, metadata={"format": "pt"}))
    found = read_weights(tmp_path / "w.safetensors", MODEL.ir).tensors
    assert all(np.array_equal(found[name], array) for name, array in GOOD.items())


def test_damaged_checkpoints(
    tmp_path: Path, figure: Figure, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = {"progress": {"epoch": 3, "loss": 0.12345, "rows": [{"lr": 0.1}]}, "spec": "é\n"}
    checkpoint.save(tmp_path, "epoch1", GOOD, manifest)
    checkpoint.save(tmp_path, "epoch2", GOOD, manifest)
    files = {path: path.read_bytes() for path in sorted(tmp_path.glob("epoch2.*"))}
    rng, seen = Random(2), 0
    for path, data in files.items():
        cuts = rng.sample(range(len(data)), count(20, 250) if len(data) > 250 else 100)
        bits = rng.sample(range(8 * len(data)), count(100, 500))
        for damaged in (*(data[:size] for size in cuts), *(flipped(data, bit) for bit in bits)):
            path.write_bytes(damaged)
            checkpoint.newest(tmp_path)  # the one before it
            assert "epoch2.json: the checkpoint is damaged" in capsys.readouterr().err
            seen += 1
        path.write_bytes(data)
    assert checkpoint.newest(tmp_path).manifest["progress"] == manifest["progress"]
    assert capsys.readouterr().err == ""
    figure(f"damaged checkpoints: {seen} cut off or with a flipped bit, the one before taken")
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="no whole checkpoint to resume from\n  start anew"):
        checkpoint.newest(tmp_path)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "I4", "X"])
def test_types_that_numpy_does_not_have(tmp_path: Path, kind: str) -> None:
    head = {"conv_1.weight": {"dtype": kind, "shape": [2], "data_offsets": [0, 4]}}
    text = json.dumps(head).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with pytest.raises(UserError):
        read_weights(path, MODEL.ir)


def test_what_is_written_says_its_hash() -> None:
    """The same tensors give the same bytes, and the hash is in the file."""
    data = pack_weights(GOOD)
    assert data == pack_weights(dict(reversed(GOOD.items())))
    assert set(load(data)) == set(GOOD)
    head = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(head["__metadata__"]) == ["cnndsl"]
