"""Measuring alone: whoever times a step waits until the other workers pause between two steps."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cnndsl.study.locks import FileLock


class QuietRoom:
    """Trainers share the room; who measures has it alone. At the door new ones wait for him."""

    def __init__(self, folder: Path) -> None:
        self._room, self._door = FileLock(folder / "room"), FileLock(folder / "door")

    @contextmanager
    def alone(self) -> Generator[None]:
        """Nobody else computes within."""
        with self._door, self._room:
            yield

    @contextmanager
    def busy(self) -> Generator[None]:
        """Computes within, beside others."""
        self._enter()
        try:
            yield
        finally:
            self._room.release()

    def pause(self) -> None:
        """Between two steps: lets one in who wants to measure."""
        self._room.release()
        self._enter()

    def _enter(self) -> None:
        self._door.acquire(shared=True)
        try:
            self._room.acquire(shared=True)
        finally:
            self._door.release()
