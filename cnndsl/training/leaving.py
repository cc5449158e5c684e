"""How processes that share a run leave it by an error: all, with one message and one code."""

import atexit
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

from cnndsl.runtime.ranks import Ranks
from cnndsl.source import Failed, UserError
from cnndsl.training.mpi import Mpi

_PATIENCE = 2.0  # seconds until it is clear that an error is not one of all ranks


@contextmanager
def ending_all(ranks: Ranks) -> Generator[None]:
    """End every rank where one leaves by an error: the others would wait for it for ever.

    An error of all is told by the first rank, and each leaves by itself; one of a single rank is
    told with its number.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(ranks, Mpi) and ranks.size > 1:
            _leave(ranks, exit_code(error))
        raise


def _leave(ranks: Mpi, code: int) -> None:
    if not ranks.meet(_PATIENCE):
        print(f"rank {ranks.rank}: ", end="", file=sys.stderr)
        atexit.register(_end, ranks, code)  # behind the message
    elif ranks.rank:
        _hush()


def _end(ranks: Mpi, code: int) -> None:
    sys.stdout.flush()
    _hush()  # MPI libraries say that they were asked to
    ranks.comm.Abort(code)


def _hush() -> None:
    """Nothing more of this process is heard on stderr."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def exit_code(error: BaseException) -> int:
    """With which code the command ends by an error."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, Failed):
        return 1
    return 2 if isinstance(error, UserError | OSError | MemoryError) else 70
