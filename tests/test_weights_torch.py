"""Checkpoints of PyTorch are read without it: their tensors, in any container, and no code."""

import argparse
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnndsl.source import UserError
from cnndsl.weights import read_raw

torch = pytest.importorskip("torch")

Tensors = dict[str, "torch.Tensor"]


@pytest.fixture
def tensors() -> Tensors:
    flat = torch.arange(40.0)
    return {
        "conv.weight": torch.randn(4, 3, 3, 3),
        "conv.bias": torch.nn.Parameter(torch.randn(4)),
        "part": flat[20:].view(4, 5),
        "turned": flat[:20].view(4, 5).t(),
        "last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "half": torch.randn(3, 3).half(),
        "brain": torch.randn(3, 3).bfloat16(),
        "double": torch.randn(2, 2).double(),
        "count": torch.tensor(4),
        "empty": torch.zeros(0, 3),
    }


def check_same(path: Path, tensors: Tensors) -> None:
    found = read_raw(path).tensors
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert found[name].shape == tuple(tensor.shape)
        assert np.array_equal(found[name].astype(np.float64), tensor.detach().double().numpy())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.bin", "w.dat"])
def test_both_containers(tensors: Tensors, tmp_path: Path, zipped: bool, name: str) -> None:
    torch.save(tensors, tmp_path / name, _use_new_zipfile_serialization=zipped)
    check_same(tmp_path / name, tensors)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: {"state_dict": t},
        lambda t: {"model": {f"module.{name}": x for name, x in t.items()}, "epoch": 3},
        lambda t: {"model_state_dict": t, "optimizer": {"state": {0: {"step": torch.ones(3)}}}},
        lambda t: {"ema": t},
        lambda t: {"net": t, "args": argparse.Namespace(lr=0.1), "best": np.float64(0.7)},
        lambda t: {"state_dict": t, "state_dict_ema": {k: v * 2 for k, v in t.items()}},
        lambda t: {f"_orig_mod.{name}": x for name, x in t.items()},
    ],
)
def test_the_tensors_are_found_inside(tensors: Tensors, tmp_path: Path, wrap) -> None:
    torch.save(wrap(tensors), tmp_path / "w.pth")
    check_same(tmp_path / "w.pth", tensors)


def test_arrays_of_numpy_are_tensors_too(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(3, ">f4")}
    torch.save(arrays, tmp_path / "w.pth")
    found = read_raw(tmp_path / "w.pth").tensors
    assert {name: a.tolist() for name, a in found.items()} == {
        name: a.tolist() for name, a in arrays.items()
    }


CALLS = (
    "os system", "posix system", "subprocess getoutput", "builtins eval", "builtins exec",
    "builtins open", "io open", "os mkdir", "os makedirs", "os mkfifo", "shutil copyfile",
    "codecs open", "gzip open", "zipfile ZipFile",
)  # fmt: skip
WAYS = ("REDUCE", "STACK_GLOBAL", "INST", "OBJ")


def calling(way: str, function: str, *args: str) -> bytes:
    """A pickle that calls a function, by one of the ways that pickles have."""
    module, name = function.split()
    where, items = f"{module}\n{name}\n".encode(), b"".join(map(text, args))
    return b"\x80\x04" + {
        "REDUCE": b"c" + where + b"(" + items + b"tR.",
        "STACK_GLOBAL": text(module) + text(name) + b"\x93(" + items + b"tR.",
        "INST": b"(" + items + b"i" + where + b".",
        "OBJ": b"(c" + where + items + b"o.",
    }[way]  # fmt: skip


def text(said: str) -> bytes:
    return b"X" + len(said).to_bytes(4, "little") + said.encode()


def contained(pickled: bytes, path: Path, zipped: bool) -> Path:
    """A pickle in the place of the tensors of a file."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in head) + pickled)
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", pickled)
    return path


def test_nothing_is_executed(tmp_path: Path) -> None:
    """112 files that would make another one: 14 functions, called in 4 ways, in both containers."""
    canary, path, refused = tmp_path / "canary", tmp_path / "w.pth", 0
    for way in WAYS:
        pickle.loads(calling(way, "os mkdir", str(canary)))  # it lives
        canary.rmdir()
        for function in CALLS:
            pickled = calling(way, function, str(canary), "w")
            for zipped in (True, False):
                with pytest.raises(UserError, match=r"nothing of it was run\n.*torch.save"):
                    read_raw(contained(pickled, path, zipped))
                refused += 1
    assert refused == 112
    assert not canary.exists()


def test_a_module_is_not_built(tmp_path: Path) -> None:
    torch.save({"net": torch.nn.Linear(2, 2)}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"holds `torch\.nn\.modules\.linear\.Linear`, which is"):
        read_raw(tmp_path / "w.pth")


def rewritten(path: Path, edit) -> None:
    """A saved file whose pickle is another one."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, edit(data) if name.endswith("data.pkl") else data)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02r\xff\xff\xff\x7f.",  # a memo of two thousand million entries
        b"\x80\x02\x8b\xff\xff\xff\x7f.",  # an integer of as many bytes
        b"\x80\x02\x82\x01.",  # an entry of copyreg's
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns.",  # a key too deep to be hashed
        b"\x80\x02})" + b"2\x86" * 60 + b"Ns.",  # a key of 2^60 values
        b"\x80\x02N.",
        b"",
    ],
)
def test_hostile_pickles_are_one_clear_error(tensors: Tensors, tmp_path: Path, pickled) -> None:
    torch.save(tensors, tmp_path / "w.pth")
    rewritten(tmp_path / "w.pth", lambda data: pickled)
    with pytest.raises(UserError, match=r"w.pth:? (holds|cannot be read)"):
        read_raw(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((99,), (1,), 0), ((4,), (1,), 8), ((2**38,), (0,), 0), ((2, 2), (9, 1), 0), ((-1,), (1,), 0)],
)
def test_tensors_stay_inside_their_storage(tmp_path: Path, size, stride, offset) -> None:
    rebuild = torch._utils._rebuild_tensor_v2
    bare = torch.zeros(10).untyped_storage()
    storage = torch.storage.TypedStorage(wrap_storage=bare, dtype=torch.float32, _internal=True)

    class Liar:
        def __reduce__(self):
            return rebuild, (storage, offset, size, stride, False, {})

    torch.save({"weight": Liar()}, tmp_path / "w.pth")
    with pytest.raises(UserError, match="holds a tensor of shape"):
        read_raw(tmp_path / "w.pth")


def test_a_storage_that_is_cut_off(tensors: Tensors, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="beyond the end of the file"):
        read_raw(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([1, 2], "holds no tensors by name"),
        ({"gen": {"w": torch.ones(2)}, "disc": {"w": torch.ones(2)}}, "several sets of tensors"),
    ],
)
def test_what_holds_no_model(tmp_path: Path, content, problem: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match=problem):
        read_raw(tmp_path / "w.pth")


def test_a_plain_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UserError, match=r"w.pth: cannot be read as a checkpoint"):
        read_raw(tmp_path / "w.pth")
