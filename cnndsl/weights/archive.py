"""Zip archives of others, checked before any of them is unpacked."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

LARGE = 256 * 2**20  # bytes up to which a part may be packed in any way
LARGEST = 8 * 2**30  # bytes, of all parts
_RATIO = 100  # weights pack to nine tenths, not to a hundredth
_MOST = 200_000  # parts


def names_of(path: Path) -> list[str]:
    """The names in a zip archive; none where the file is not one."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return []
            with ZipFile(file) as archive:
                return archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return []


@contextmanager
def checked_archive(path: Path) -> Generator[ZipFile]:
    """An archive of which no part, nor all together, is a bomb; ValueError where it is."""
    with ZipFile(path) as archive:
        parts = archive.infolist()
        if len(parts) > _MOST:
            raise ValueError(f"it has {len(parts):,} parts")
        for part in parts:
            if part.file_size > max(LARGE, _RATIO * part.compress_size):
                raise ValueError(f"{part.filename[:80]} unpacks to {part.file_size:,} bytes")
        whole = sum(part.file_size for part in parts)
        if whole > max(LARGE, min(LARGEST, _RATIO * path.stat().st_size)):
            raise ValueError(f"it unpacks to {whole:,} bytes")
        yield archive
