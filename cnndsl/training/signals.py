"""SIGINT and SIGTERM: finish the step, save, leave; a second SIGINT leaves at once."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop (SIGINT, SIGTERM) and has saved itself; exit with `code`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["Interrupted"], tuple[int, str]]:
        return type(self), (self.code, str(self))


class Stop:
    """Whether a signal has come, and which."""

    signal: int | None = None


@contextmanager
def terminable() -> Generator[None]:
    """Outside of the loop SIGTERM ends the process as SIGINT does: tidily, with its code."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def listening() -> Generator[Stop]:
    """Catch the two signals while inside; only the main thread can."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: FrameType | None) -> None:
        stop.signal = stop.signal or number

    before = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _leaving_at_once():
            yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: not set from Python


@contextmanager
def _leaving_at_once() -> Generator[None]:
    """A SIGINT behind another signal ends the process, even within a long step of the runtime.

    Python's own handlers wait until the runtime returns; a thread told by a socket does not.
    """
    if "ipykernel" in sys.modules:  # a notebook's kernel is not ours to end
        yield
        return
    told, teller = socket.socketpair()
    teller.setblocking(False)
    before = signal.set_wakeup_fd(teller.fileno())

    def watch() -> None:
        seen = 0
        while number := told.recv(1):
            seen += number[0] in (signal.SIGINT, signal.SIGTERM)
            if seen > 1 and number[0] == signal.SIGINT:
                os._exit(130)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        teller.close()
        watcher.join()
        told.close()
