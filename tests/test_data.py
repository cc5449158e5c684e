"""Every way to bring data in: what is read, and what is refused before it does harm. No network."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnndsl.data.dataset import Dataset, Split
from cnndsl.data.formats import cifar10, shapes
from cnndsl.data.registry import open_dataset
from cnndsl.source import UserError

CIFAR, MNIST = (3, 32, 32), (1, 28, 28)
FOLDER = "cifar-10-batches-bin"
NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
RECORD = 3073
COUNT = 20  # records a file instead of 10,000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Small files, and no data set of this machine's user."""
    monkeypatch.setattr(cifar10, "_BYTES", COUNT * RECORD)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def no_network(*arguments: Any, **options: Any) -> None:
        raise AssertionError("the network")

    monkeypatch.setattr("cnndsl.data.download.fetch", no_network)


def records(seed: int, count: int = COUNT) -> np.ndarray[Any, np.dtype[np.uint8]]:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (count, RECORD)).astype(np.uint8)
    data[:, 0] = np.arange(count) % 10
    return data


def write_binaries(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for i, name in enumerate(NAMES):
        (folder / name).write_bytes(records(i).tobytes())
    return folder


def write_archive(path: Path, change: dict[str, bytes | str] | None = None) -> Path:
    """The archive; `change` gives a member other bytes, or makes it a link."""
    with tarfile.open(path, "w:gz") as tar:
        for i, name in enumerate(NAMES):
            content = (change or {}).get(name, records(i).tobytes())
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                content = b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def assert_is_cifar(data: Dataset) -> None:
    assert (len(data.train), len(data.test), len(data.classes)) == (5 * COUNT, COUNT, 10)
    assert data.train.x.shape[1:] == CIFAR
    first = records(0)
    assert np.array_equal(data.train.x[0].reshape(-1), first[0, 1:])
    assert np.array_equal(data.test.y, records(5)[:, 0])
    assert data.train.y.dtype == np.int64


@pytest.mark.parametrize("at", ["", FOLDER])
def test_cifar10_binary_folder(tmp_path: Path, at: str) -> None:
    write_binaries(tmp_path / "here" / at)
    assert_is_cifar(open_dataset("cifar10", CIFAR, tmp_path / "here"))


def test_cifar10_archive_is_read_and_not_extracted(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    archive = write_archive(tmp_path / "here" / "cifar-10-binary.tar.gz")
    assert_is_cifar(open_dataset("cifar10", CIFAR, tmp_path / "here"))
    assert list((tmp_path / "here").iterdir()) == [archive]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_batch_2.bin": b"short"}, "data_batch_2.bin in the archive is not a plain file"),
        ({"test_batch.bin": "/etc/passwd"}, "test_batch.bin in the archive is not a plain file"),
        ({"data_batch_1.bin": bytes([10]) * RECORD * COUNT}, "label 10, outside of 0…9"),
    ],
)
def test_bad_members_of_the_archive(
    tmp_path: Path, change: dict[str, bytes | str], message: str
) -> None:
    write_archive(tmp_path / "cifar-10-binary.tar.gz", change)
    with pytest.raises(UserError, match=message):
        open_dataset("cifar10", CIFAR, tmp_path)


NO_ARCHIVES = {"nothing": b"", "no gzip": b"no gzip", "no tar": gzip.compress(b"no tar" * 200)}


@pytest.mark.parametrize("data", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(data)
    with pytest.raises(UserError, match="is not a CIFAR-10 archive"):
        open_dataset("cifar10", CIFAR, tmp_path)


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "cifar-10-binary.tar.gz")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="is not a CIFAR-10 archive"):
        open_dataset("cifar10", CIFAR, tmp_path)


def test_cifar10_of_wrong_size_or_label(tmp_path: Path) -> None:
    folder = write_binaries(tmp_path / FOLDER)
    (folder / "data_batch_3.bin").write_bytes(b"x" * 100)
    with pytest.raises(UserError, match=r"data_batch_3\.bin has 100 bytes, not 61,460"):
        open_dataset("cifar10", CIFAR, tmp_path)
    wrong = records(3)
    wrong[7, 0] = 200
    (folder / "data_batch_3.bin").write_bytes(wrong.tobytes())
    with pytest.raises(UserError, match="training picture 47 has label 200"):
        open_dataset("cifar10", CIFAR, tmp_path)
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(UserError, match=r"data_batch_3\.bin: No such file"):
        open_dataset("cifar10", CIFAR, tmp_path)


def test_a_folder_without_cifar10(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no CIFAR-10"):
        open_dataset("cifar10", CIFAR, tmp_path)


def write_pickles(folder: Path, change: dict[str, bytes] | None = None) -> Path:
    """As torchvision keeps them."""
    (folder / "cifar-10-batches-py").mkdir(parents=True)
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        batch = {b"data": records(i)[:, 1:], b"labels": records(i)[:, 0].tolist()}
        batch[b"batch_label"] = b"a batch"
        content = (change or {}).get(name, pickle.dumps(batch, protocol=2))
        (folder / "cifar-10-batches-py" / name).write_bytes(content)
    return folder


def test_python_pickles(tmp_path: Path) -> None:
    assert_is_cifar(open_dataset("cifar10", CIFAR, write_pickles(tmp_path / "here")))


class Runs:
    """A pickle of this calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


CANARY = "canary"
HOSTILE: dict[str, Any] = {
    "os.system": Runs(os.system, f"touch {CANARY}"),
    "eval": Runs(eval, f"open({CANARY!r}, 'w').close()"),
    "nested": {b"data": [[Runs(os.system, f"touch {CANARY}")]], b"labels": [0]},
    "labels": {b"data": records(0)[:, 1:], b"labels": Runs(os.system, f"touch {CANARY}")},
    "getattr": Runs(getattr, "x", "upper"),
    "path": Runs(Path, "x"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_run_nothing(tmp_path: Path, name: str) -> None:
    for protocol in (0, 2, 4):
        where = tmp_path / f"p{protocol}"
        write_pickles(where, {"data_batch_1": pickle.dumps(HOSTILE[name], protocol)})
        with pytest.raises(UserError, match="is not a CIFAR-10 batch"):
            open_dataset("cifar10", CIFAR, where)
    assert not (tmp_path / CANARY).exists()


@pytest.mark.parametrize(
    "batch",
    [
        {b"data": records(0)[:, 1:].astype(float), b"labels": [0] * COUNT},
        {b"data": records(0)[:, :100], b"labels": [0] * COUNT},
        {b"data": np.array([None, "x"], object), b"labels": [0, 0]},
        {b"labels": [0]},
        [1, 2],
    ],
)
def test_pickles_of_other_things(tmp_path: Path, batch: Any) -> None:
    where = write_pickles(tmp_path / "here", {"test_batch": pickle.dumps(batch, 2)})
    with pytest.raises(UserError, match="is not a CIFAR-10 batch"):
        open_dataset("cifar10", CIFAR, where)


def idx(array: np.ndarray[Any, Any]) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("t10k", 5)):
        for name, array in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", np.arange(count) % 10),
        ):
            data = idx(array)
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("at", ["", "MNIST/raw"])
def test_mnist(tmp_path: Path, packed: bool, at: str) -> None:
    write_mnist(tmp_path / at, packed)
    data = open_dataset("mnist", MNIST, tmp_path)
    assert data.train.x.shape == (12, 1, 28, 28)
    assert data.test.y.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match="has pictures of 1x28x28, the model takes 3x32x32"):
        open_dataset("mnist", CIFAR, tmp_path)


GOOD = idx(np.zeros((12, 28, 28)))
BAD_IDX = {
    "empty": (b"", "is not an idx file"),
    "truncated": (GOOD[:-1], "says 12x28x28, but holds 9,407"),
    "too long": (GOOD + b"\0", "but holds 9,409"),
    "wrong magic": (b"\0\1" + GOOD[2:], "is not an idx file"),
    "floats": (b"\0\0\x0d" + GOOD[3:], "is not an idx file"),
    "short head": (GOOD[:9], "is not an idx file"),
    "huge sizes": (bytes([0, 0, 8, 3]) + b"\xff" * 12, "says 4294967295x"),
    "wrong rank": (idx(np.zeros((12, 28))), "rank 2"),
    "fewer pictures": (idx(np.zeros((11, 28, 28))), "11 training pictures, but 12 labels"),
}


@pytest.mark.parametrize("name", BAD_IDX)
def test_bad_idx_files(tmp_path: Path, name: str) -> None:
    data, message = BAD_IDX[name]
    (write_mnist(tmp_path) / "train-images-idx3-ubyte").write_bytes(data)
    with pytest.raises(UserError, match=message):
        open_dataset("mnist", MNIST, tmp_path)


def test_bad_gzip(tmp_path: Path) -> None:
    path = write_mnist(tmp_path, packed=True) / "train-images-idx3-ubyte.gz"
    for data in (path.read_bytes()[:-20], b"no gzip", path.read_bytes()[:40] + b"\xff" * 50):
        path.write_bytes(data)
        with pytest.raises(UserError, match="cannot be read"):
            open_dataset("mnist", MNIST, tmp_path)


def test_shapes_is_the_same_everywhere_and_balanced() -> None:
    data = shapes.load()
    digest = hashlib.sha256()
    for split in (data.train, data.test):
        digest.update(split.x.tobytes() + split.y.tobytes())
        assert set(np.bincount(split.y)) == {len(split) // 10}
    assert (len(data.train), len(data.test)) == (5_000, 1_000)
    assert digest.hexdigest() == "58d791d27699ece9434ae53fc72bb11d4ee7b1ecf7420551a194cb8ca18dea73"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("cifar", "did you mean `cifar10`"), ("mnits", "did you mean `mnist`"),
     ("shape", "did you mean `shapes`"), ("imagenet", "mnist, .* a folder of classes, .*")],
)  # fmt: skip
def test_unknown_names_suggest_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        open_dataset(name, CIFAR)


def test_unknown_names_suggest_what_is_there(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "table.csv").touch()
    monkeypatch.chdir(tmp_path)
    beside = str(tmp_path / "pets")
    for name, meant in (("pest", "pets"), ("table", "table.csv"), (f"{beside}s", beside)):
        with pytest.raises(UserError, match=f"did you mean `{meant}`"):
            open_dataset(name, CIFAR)


def test_moments_are_those_of_the_pictures_in_0_to_1() -> None:
    x = np.random.default_rng(0).integers(0, 200, (1500, 3, 4, 5), np.uint8)
    x[:, 1] = 7
    data = Dataset("d", Split(x, np.zeros(1500, np.int64)), Split(x[:1], np.zeros(1)), ("a",))
    mean, std = data.moments()
    np.testing.assert_allclose(mean, (x / 255).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, np.maximum((x / 255).std((0, 2, 3)), 1e-3), rtol=1e-9)
