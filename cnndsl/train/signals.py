"""SIGINT and SIGTERM: finish the step, save, leave; a second SIGINT leaves at once."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # noqa: N818
    """The run was asked to stop and has saved itself; exit with `code`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Stop:
    """Whether a signal has come, and which."""

    signal: int | None = None


@contextmanager
def listening() -> Generator[Stop]:
    """Catch the two signals while inside; only the main thread can."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: FrameType | None) -> None:
        if stop.signal is not None and number == signal.SIGINT:
            os._exit(130)
        stop.signal = number

    before = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
