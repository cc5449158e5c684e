"""Writing files so that none is ever half-written."""

import errno
import os
import re
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cnndsl.source import UserError

PART = ".part"  # ending of a file that is being written; what a killed process leaves behind

_PART = re.compile(rf"\..+\.[a-z0-9_]{{8}}{re.escape(PART)}")
_DEVICES = ("/dev/", "/proc/")
_MENDS = {
    errno.ENOSPC: "free some space on that disk, or choose a folder on another",
    errno.EDQUOT: "free some space of your quota, or choose a folder elsewhere",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EACCES: "choose a folder that you may write, or change its rights",
    errno.EPERM: "choose a folder that you may write, or change its rights",
    errno.EIO: "the disk reports a fault: choose a folder on another",
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "make its folder first",
    errno.EISDIR: "it is a folder: give the name of a file",
}


class CannotWrite(UserError):  # noqa: N818
    """A file could not be written; says which, why, and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        self._given = path, error
        hint = _MENDS.get(error.errno or 0, "choose another folder")
        super().__init__(f"{path}: cannot be written: {error.strerror or error}\n  {hint}")

    def __reduce__(self) -> tuple[type["CannotWrite"], tuple[Path, OSError]]:
        return type(self), self._given


def is_run_folder(path: Path) -> bool:
    """Whether a run was begun there: it says what it is given, and of which spec it is."""
    return (path / "args.yaml").is_file() and (path / "model.cnn").is_file()


def refuse_run_folder(path: Path, meant: str) -> None:
    """UserError, with the file that is meant, for a run folder in its place."""
    if is_run_folder(path):
        is_there = (path / meant).is_file()
        way = f"give {path / meant}" if is_there else f"it has no {meant} yet"
        raise UserError(f"{path} is a run folder\n  {way}")


@contextmanager
def writing(path: Path) -> Generator[None]:
    """What goes wrong with the system inside is told as CannotWrite of this path."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(path, error) from None


def check_writable(path: Path) -> None:
    """CannotWrite, before any work is done for it, where a file cannot be written under a path."""
    folder = path.parent
    found = {
        errno.ENOENT: not folder.exists(),
        errno.ENOTDIR: not folder.is_dir(),
        errno.EISDIR: path.is_dir(),
        errno.EACCES: not os.access(folder, os.W_OK),
    }
    for number in (number for number, is_so in found.items() if is_so):
        raise CannotWrite(path, OSError(number, os.strerror(number)))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one piece: temporary file, fsync, rename, fsync of the folder.

    CannotWrite where that fails; under the name is then the old file, if any, or the whole new one.
    Links stay; into what is not a file, such as `/dev/null` or a pipe, it is written as it is.
    """
    with writing(path):
        real = os.path.realpath(path)
        if real.startswith(_DEVICES) or (path.exists() and not path.is_file()):
            path.write_bytes(data)
        else:
            _write(Path(real) if path.is_symlink() else path, data)


def write_below(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts by their paths below a folder, whose folders are made. CannotWrite as there."""
    for path, text in ((folder / name, text) for name, text in texts.items()):
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())


def _write(path: Path, data: bytes) -> None:
    name = path.parent / f".{path.name}.{secrets.token_hex(4)}{PART}"  # as _PART has it
    try:
        with open(name, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks cannot, and need not
            raise
    finally:
        os.close(folder)


def remove_parts(folder: Path) -> None:
    """Remove what killed writers have left; files of others have other names."""
    for part in folder.glob(f".*{PART}"):
        if _PART.fullmatch(part.name):
            part.unlink(missing_ok=True)
