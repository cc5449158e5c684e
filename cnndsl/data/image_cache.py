"""Decoded images of earlier runs, in a database of bounded size in the user's cache folder."""

import hashlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from cnndsl.runtime.images import Decoded
from cnndsl.runtime.pixel_modes import Change

_LIMIT = 2 * 2**30
_SCHEMA = 2  # in the file's name: a later version leaves this one's file alone
_TABLE = """CREATE TABLE IF NOT EXISTS images
(id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE, checksum INTEGER, change INTEGER,
pixels BLOB)"""


def cache_limit() -> int:
    """Bytes that it may hold: `CNNDSL_IMAGE_CACHE` in MiB, 0 for none; 2 GiB by default."""
    given = os.environ.get("CNNDSL_IMAGE_CACHE", "")
    return int(given) * 2**20 if given.isascii() and given.isdigit() else _LIMIT


class ImageCache:
    """Arrays of one shape by the files that they come from, to be used in `with`.

    An entry holds as long as the file's path, size and time of change are the same; `key` tells
    what was done with the file. Where the database cannot be used nothing is found or kept: it
    saves time, and no more.
    """

    def __init__(self, key: str, shape: tuple[int, ...]) -> None:
        self._key, self._shape = key, shape
        self._room = cache_limit()
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> "ImageCache":
        if self._room:
            with suppress(sqlite3.Error, OSError):
                self._database = _opened()
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                _evict(self._database, cache_limit())
            self._database.close()

    def found(self, files: Sequence[Path]) -> dict[Path, Decoded]:
        """The arrays of those files that are known."""
        if self._database is None:
            return {}
        keys = {key: file for file in files if (key := self._key_of(file))}
        columns = "key, checksum, change, pixels"
        query = f"SELECT {columns} FROM images WHERE key IN ({_marks(len(keys))})"
        with suppress(sqlite3.Error):
            rows = self._database.execute(query, [*keys]).fetchall()
            return {keys[key]: Decoded(self._array(data), Change(change))
                    for key, sum_, change, data in rows if crc32(data) == sum_}  # fmt: skip
        return {}

    def keep(self, images: Mapping[Path, Decoded]) -> None:
        """Keep these, of all that one use of the cache keeps as much as there is room for."""
        self._room -= sum(image.pixels.nbytes for image in images.values())
        if self._database is None or self._room < 0:
            return
        rows = [(key, crc32(data), change.value, data) for file, (pixels, change) in images.items()
                if (key := self._key_of(file)) for data in [pixels.tobytes()]]  # fmt: skip
        put = "INSERT OR REPLACE INTO images (key, checksum, change, pixels) VALUES (?, ?, ?, ?)"
        with suppress(sqlite3.Error), self._database:
            self._database.executemany(put, rows)

    def _key_of(self, file: Path) -> bytes | None:
        try:
            found = file.stat()
        except OSError:
            return None
        parts = (self._key, os.path.realpath(file), str(found.st_size), str(found.st_mtime_ns))
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).digest()

    def _array(self, data: bytes) -> NDArray[np.uint8]:
        return np.frombuffer(data, np.uint8, prod(self._shape)).reshape(self._shape)


def _opened() -> sqlite3.Connection:
    path = user_cache_path("cnndsl", ensure_exists=True) / f"images{_SCHEMA}.sqlite"
    database = sqlite3.connect(path, timeout=5)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")  # a checksum stands beside every image
        database.execute(_TABLE)
    except sqlite3.DatabaseError:
        database.close()
        path.unlink(missing_ok=True)
        raise
    return database


def _evict(database: sqlite3.Connection, limit: int) -> None:
    """Remove the oldest images while all of them take more than the limit."""
    while _used(database) > limit:
        oldest = "DELETE FROM images WHERE id IN (SELECT id FROM images ORDER BY id LIMIT 500)"
        with database:
            if database.execute(oldest).rowcount < 1:
                return


def _used(database: sqlite3.Connection) -> int:
    """Bytes in use; those that are free again come before the file grows."""
    pages, free, size = (
        database.execute(f"PRAGMA {word}").fetchone()[0]
        for word in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _marks(count: int) -> str:
    return ",".join("?" * count)
