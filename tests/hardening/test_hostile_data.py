"""Data of strangers: each ends in a data set or in a message; nothing is run, nothing unpacked."""

import json
import struct
import sys
from pathlib import Path
from random import Random

import hostile
import numpy as np
import pytest
from budget import Figure, count
from PIL import Image
from processes import Ended, cnndsl, run

PROGRAM = str(Path(__file__).with_name("open_data.py"))
RECORDS = 20  # of a CIFAR file here, instead of 10,000
RNG = np.random.default_rng(0)
Case = tuple[str, list[int], str | None]


def opened(cases: list[Case], cwd: Path) -> tuple[list[str], Ended]:
    """How each data set ended, in a process of its own."""
    ended = run([sys.executable, PROGRAM, str(RECORDS)], json.dumps(cases).encode(), cwd=cwd)
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert [s for s in said if s.startswith("BROKEN")] == []
    return said, ended


def shown(said: list[str], ended: Ended) -> str:
    refused, read = (sum(s.startswith(how) for s in said) for how in ("refused", "ok"))
    return f"{len(said)} inputs, {refused} refused, {read} read, peak {ended.peak:.0f} MB"


def records(name: str) -> bytes:
    data = RNG.integers(0, 256, (RECORDS, 3073)).astype(np.uint8)
    data[:, 0] = np.arange(RECORDS) % 10
    return data.tobytes()


def idx(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def mnist() -> dict[str, bytes]:
    files = dict[str, bytes]()
    for part, size in (("train", 12), ("t10k", 5)):
        files[f"{part}-images-idx3-ubyte"] = idx(RNG.integers(0, 256, (size, 28, 28)))
        files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(size) % 10)
    return files


def written(folder: Path, files: dict[str, bytes]) -> str:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return str(folder)


def damaged(data: bytes, rng: Random, head: int) -> bytes:
    """Bytes of the head changed, or the end cut off, or something behind it."""
    match rng.randrange(4):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            return data + rng.randbytes(rng.randrange(1, 40))
        case _:
            changed = bytearray(data)
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(min(head, len(data)))] = rng.randrange(10, 256)
            return bytes(changed)


def test_mutated_mnist_and_cifar(tmp_path: Path, figure: Figure) -> None:
    rng, cases = Random(3), list[Case]()
    for i in range(count(30, 500)):
        folder = tmp_path / str(i)
        if i % 2:
            files, head, kind = mnist(), 16, ("mnist", [1, 28, 28])
        else:
            files, head = {name: records(name) for name in hostile.NAMES}, 1
            kind = ("cifar10", [3, 32, 32])
        name = rng.choice(list(files))
        files[name] = damaged(files[name], rng, head)
        cases.append((*kind, written(folder, files)))
    said, ended = opened(cases, tmp_path)
    figure(f"mutated MNIST and CIFAR files: {shown(said, ended)}")
    assert [s for s in said if s.startswith("ok")] == []


def test_archives(tmp_path: Path, figure: Figure) -> None:
    archives = hostile.archives(records)
    cases: list[Case] = [
        ("cifar10", [3, 32, 32], written(tmp_path / name, {"cifar-10-binary.tar.gz": data}))
        for name, (data, _) in archives.items()
    ]
    before = set(tmp_path.rglob("*"))
    said, ended = opened(cases, tmp_path)
    figure(f"hostile archives: {shown(said, ended)}")
    assert dict(zip(archives, (s.startswith("ok") for s in said), strict=True)) == {
        name: usable for name, (_, usable) in archives.items()
    }
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/canary").exists()
    assert ended.peak < 300


def test_pickles(tmp_path: Path, figure: Figure) -> None:
    pickles = dict(hostile.pickles())
    cases: list[Case] = [
        ("cifar10", [3, 32, 32], written(
            tmp_path / str(i) / "cifar-10-batches-py",
            {"data_batch_1": data, "test_batch": data},
        )) for i, data in enumerate(pickles.values())
    ]  # fmt: skip
    cases = [(name, size, str(Path(folder or "").parent)) for name, size, folder in cases]
    before = set(tmp_path.rglob("*"))
    said, ended = opened(cases, tmp_path)
    figure(f"hostile pickles: {shown(said, ended)}")
    assert len(cases) >= 50
    assert [
        name for name, s in zip(pickles, said, strict=True) if "is not a CIFAR-10 batch" not in s
    ] == []
    assert set(tmp_path.rglob("*")) == before
    assert ended.peak < 300


def test_bombs(tmp_path: Path, figure: Figure) -> None:
    hostile.zip_bomb(tmp_path / "bomb.npz", 300 * 1024)
    hostile.lying_npz(tmp_path / "lies.npz")
    cases: list[Case] = [(f"{tmp_path / name}.npz", [1, 32, 32], None) for name in ("bomb", "lies")]
    said, ended = opened(cases, tmp_path)
    figure(f"packed bombs: {shown(said, ended)}")
    assert "unpacks to" in said[0]
    assert "cannot be read" in said[1]
    assert ended.peak < 300


BROKEN = {
    "empty.png": b"",
    "text.jpg": b"no picture",
    "bomb.png": hostile.png_bomb(60_000),
    "cut.png": hostile.png_bomb(500)[:-40],
    "comment.png": hostile.text_bomb(),
    "script.png": b"%!PS-Adobe\n(/etc/passwd) run\nshowpage",
    "vector.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


def pictures(folder: Path, good: int) -> list[str]:
    """Two classes of good pictures of every form, and broken ones among them, by name."""
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
    modes = ("RGB", "L", "P", "CMYK", "RGBA", "I;16", "1", "LA")
    for i in range(good):
        mode = modes[i % len(modes)] if i % 50 < len(modes) else "RGB"
        exif = Image.Exif()
        exif[0x0112] = i % 8 + 1
        ending = "jpg" if mode == "CMYK" else "png"
        with Image.new(mode, (9, 7 + i % 3)) as picture:
            picture.save(folder / ("cat", "dog")[i % 2] / f"{i}.{ending}", exif=exif)
    for name, data in BROKEN.items():
        (folder / "dog" / name).write_bytes(data)
    with Image.new("RGB", (40, 40)) as picture:
        picture.save(folder / "cat" / "whole.jpg")
    whole = (folder / "cat" / "whole.jpg").read_bytes()
    (folder / "cat" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    return [*BROKEN, "half.jpg"]


SPEC = "input 3x8x8\nconv 4 3x3 relu; gap; flatten; dense 2\n"


@pytest.mark.filterwarnings("ignore")
def test_bad_pictures_end_nothing(tmp_path: Path, figure: Figure) -> None:
    number = count(120, 10_000)
    bad = pictures(tmp_path / "data", number)
    (tmp_path / "net.cnn").write_text(SPEC)
    train = ["train", tmp_path / "net.cnn", "--data", tmp_path / "data", "--epochs", "1",
             "--micro-batch", "32"]  # fmt: skip
    ended = cnndsl(*train, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    left_out = [line for line in ended.err.splitlines() if line.startswith("left out: ")]
    assert sorted(Path(line.split(": ")[1]).name for line in left_out) == sorted(bad)
    held_out = (number + 1) // 5
    held_in = number + 1 - held_out
    assert f"{held_in:,} images to train, {held_out:,} held out" in " ".join(ended.err.split())
    strict = cnndsl(*train, "--strict", "--out", tmp_path / "strict")
    assert strict.code == 2, strict.err
    assert "cannot be read as a picture" in strict.err
    figure(
        f"bad pictures: {len(bad)} of {number + len(bad):,} named and left out by train and run; "
        f"--strict ends with exit code 2; peak {ended.peak:.0f} MB"
    )
    check_run(tmp_path, bad)


def check_run(folder: Path, bad: list[str]) -> None:
    """`cnndsl run` on the same pictures."""
    model = folder / "run" / "weights" / "best.onnx"
    broken = [path for path in (folder / "data").rglob("*") if path.name in bad]
    good = folder / "data" / "cat" / "0.png"
    ended = cnndsl("run", model, *broken, good)
    assert ended.code == 0, ended.err
    assert (len(ended.out.splitlines()), ended.err.count("left out: ")) == (1, len(bad))
    strict = cnndsl("run", "--strict", model, *broken, good)
    assert (strict.code, strict.out) == (2, "")
    none = cnndsl("run", model, *broken)
    assert (none.code, none.out) == (2, "")
