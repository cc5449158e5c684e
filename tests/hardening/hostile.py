"""Files that mean harm: archives, pickles, pictures. Whatever runs leaves a canary."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

CANARY = "canary"
TOUCH = f"touch {CANARY}"
FOLDER = "cifar-10-batches-bin"
NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


class Calls:
    """A pickle of this calls a function when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _calls() -> dict[str, Any]:
    """Values whose pickles call what a stranger would want to be called."""
    import builtins
    import os
    import runpy
    import shutil
    import subprocess

    opened = f"open({CANARY!r}, 'w').close()"
    return {
        "system": Calls(os.system, TOUCH),
        "popen": Calls(os.popen, TOUCH),
        "run": Calls(subprocess.run, ["touch", CANARY]),
        "check_output": Calls(subprocess.check_output, ["touch", CANARY]),
        "eval": Calls(eval, opened),
        "exec": Calls(exec, opened),
        "import": Calls(builtins.__import__, "antigravity"),
        "open": Calls(open, CANARY, "w"),
        "getattr": Calls(getattr, "x", "upper"),
        "copy": Calls(shutil.copy, "/etc/hosts", CANARY),
        "runpy": Calls(runpy.run_path, "/etc/hosts"),
        "path": Calls(Path.touch, Path(CANARY)),
        "load": Calls(np.load, CANARY),
        "memmap": Calls(np.memmap, CANARY, "uint8", "w+", 0, (10,)),
        "loads": Calls(pickle.loads, pickle.dumps(Calls(os.system, TOUCH))),
        "codec": Calls(__import__("codecs").encode, b"x", "zlib"),
    }


def _instructions() -> dict[str, bytes]:
    """Pickles that no pickler writes."""
    run = b"cos\nsystem\n(V" + TOUCH.encode() + b"\ntR."
    return {
        "global": run,
        "inst": b"(V" + TOUCH.encode() + b"\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nV" + TOUCH.encode() + b"\no.",
        "stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0c" + TOUCH.encode() + b"\x85R.",
        "builtins": b"c__builtin__\neval\n(V1\ntR.",
        "numpy module": b"cnumpy\nload\n(Vcanary\ntR.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0fdtype.__class__\x93.",
        "submodule": b"cnumpy.core.multiarray\nfromfile\n(V/etc/hosts\ntR.",
        "codec": b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        "persistent": b"Pcanary\n.",
        "extension": b"\x80\x02\x82\x01.",
        "memo bomb": b"]q\x00" + b"(" * 1000 + b"h\x00" * 100_000 + b"l.",
        "endless": b"\x80\x04" + b"(" * 100_000,
        "negative length": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
        "huge frame": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f.",
        "huge bytes": b"\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00.",
        "huge number": b"\x80\x02\x8b\xff\xff\xff\x7f1.",
        "huge array": (
            b"cnumpy\nndarray\n((I1000000000\nI1000000000\nttR."  # 10^18 numbers of 8 bytes
        ),
        "empty": b"", "stop": b".", "garbage": bytes(range(256)), "text": b"no pickle",
    }  # fmt: skip


def pickles() -> Iterator[tuple[str, bytes]]:
    """Every hostile pickle, by its name."""
    for name, value in _calls().items():
        for protocol in (0, 2, 5):
            batch = {b"data": value, b"labels": [0]} if protocol == 2 else value
            yield f"{name}, protocol {protocol}", pickle.dumps(batch, protocol)
    yield from _instructions().items()


def _member(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for key, value in fields.items():
        setattr(member, key, value)
    return member, data


def _archive(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def archives(good: Callable[[str], bytes]) -> dict[str, tuple[bytes, bool]]:
    """Archives in the place of CIFAR-10's, and whether one can still be used: hostile members
    beside the six are never looked at.
    """
    six = [_member(f"{FOLDER}/{name}", good(name)) for name in NAMES]
    first, rest = f"{FOLDER}/{NAMES[0]}", six[1:]
    size, data = len(good(NAMES[0])), good(NAMES[0])
    return {
        "path traversal beside": (_archive([*six, _member("../../canary", b"x")]), True),
        "absolute path beside": (_archive([*six, _member("/tmp/canary", b"x")]), True),
        "device beside": (_archive([*six, _member("null", type=tarfile.CHRTYPE)]), True),
        "traversal in a name": (_archive([_member(f"{FOLDER}/../{NAMES[0]}", data), *rest]), False),
        "symbolic link": (
            _archive([_member(first, type=tarfile.SYMTYPE, linkname="/etc/passwd"), *rest]), False,
        ),
        "hard link": (
            _archive([*rest, _member(first, type=tarfile.LNKTYPE, linkname=f"{FOLDER}/x")]), False,
        ),
        "hard link out": (
            _archive([_member(first, type=tarfile.LNKTYPE, linkname="/etc/passwd"), *rest]), False,
        ),
        "fifo": (_archive([_member(first, type=tarfile.FIFOTYPE), *rest]), False),
        "device": (_archive([_member(first, type=tarfile.CHRTYPE, devmajor=1), *rest]), False),
        "folder": (_archive([_member(first, type=tarfile.DIRTYPE), *rest]), False),
        "duplicate, last wins": (_archive([*six, _member(first, b"short")]), False),
        "duplicate link": (
            _archive([*six, _member(first, type=tarfile.SYMTYPE, linkname="/etc/passwd")]), False,
        ),
        "missing member": (_archive(rest), False),
        "huge size": (gzip.compress(_header(first, 2**40)), False),
        "negative size": (gzip.compress(_header(first, -5)), False),
        "truncated member": (gzip.compress(_header(first, size) + data[:100]), False),
        "gzip bomb": (gzip.compress(b"\0" * 50_000_000), False),
        "no archive": (b"PK\3\4 no archive", False),
    }  # fmt: skip


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def zip_bomb(path: Path, pictures: int) -> None:
    """An honest `.npz` of black pictures: a thousand times as large in memory as on the disk."""
    np.savez_compressed(
        path, x=np.zeros((pictures, 1, 32, 32), np.uint8), y=np.zeros(pictures, int)
    )


def lying_npz(path: Path) -> None:
    """A header that speaks of 2^50 pictures."""
    head = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (2**50, 1, 32, 32)}
    np.lib.format.write_array_header_1_0(head, shape)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(1000))
        archive.writestr("y.npy", head.getvalue())


def png_bomb(side: int) -> bytes:
    """A picture of one colour: a few kilobytes, `side` squared pixels."""
    rows = zlib.compress(bytes(side + 1) * min(side, 1000), 9)
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def text_bomb() -> bytes:
    """A picture whose comment unpacks to 200 MB."""
    text = b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text
    whole = png_bomb(8)
    return whole[:33] + chunk + struct.pack(">I", zlib.crc32(b"zTXt" + text)) + whole[33:]
