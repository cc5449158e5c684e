"""What processes that train together exchange, by mpi4py."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import mkstemp
from time import monotonic, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError

_PIECE = 64 << 20  # bytes


@dataclass(frozen=True)
class Mpi:
    """The ranks of MPI's COMM_WORLD."""

    comm: Any  # mpi4py.MPI.Comm, which comes without types
    exit: Any  # a copy of it, on which ranks that leave meet

    def meet(self, seconds: float) -> bool:
        """Whether all ranks come here within so many seconds."""
        request, end = self.exit.Ibarrier(), monotonic() + seconds
        while not request.Test():
            if monotonic() > end:
                return False
            sleep(0.01)
        return True

    @property
    def rank(self) -> int:
        """This process."""
        return self.comm.Get_rank()

    @property
    def size(self) -> int:
        """How many there are."""
        return self.comm.Get_size()

    def add(self, array: NDArray[Any]) -> None:
        """One Allreduce, in place."""
        from mpi4py import MPI

        self.comm.Allreduce(MPI.IN_PLACE, array, op=MPI.SUM)

    def largest(self, number: int) -> int:
        """The largest of all ranks' numbers."""
        from mpi4py import MPI

        found = np.array(number, np.int64)
        self.comm.Allreduce(MPI.IN_PLACE, found, op=MPI.MAX)
        return int(found)

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, by rank, on each of them."""
        return self.comm.allgather(value)

    def share(self, value: Any) -> Any:
        """The value of rank 0, on all."""
        return self.comm.bcast(value, root=0)

    def stack(self, rows: NDArray[Any]) -> NDArray[Any] | None:
        """The rows of all ranks below each other, on rank 0."""
        counts: list[int] | None = self.comm.gather(len(rows))
        if counts is None:
            for piece in _pieces(np.ascontiguousarray(rows)):
                self.comm.Send(piece, 0)
            return None
        whole = np.empty((sum(counts), *rows.shape[1:]), rows.dtype)
        whole[: len(rows)] = rows
        ends = np.cumsum(counts)
        for rank in range(1, self.size):
            for piece in _pieces(whole[ends[rank - 1] : ends[rank]]):
                self.comm.Recv(piece, rank)
        return whole

    def common(self, array: NDArray[Any] | None) -> NDArray[Any]:
        """An array of rank 0 on all, to be read: one copy a machine, mapped from a file."""
        from mpi4py import MPI

        here = self.comm.Split_type(MPI.COMM_TYPE_SHARED)
        leads = here.Get_rank() == 0
        leaders = self.comm.Split(0 if leads else MPI.UNDEFINED, self.rank)
        like = self.share(array[:0] if array is not None else None)
        count = self.share(len(array) if array is not None else None)
        path = _written(array, like, count, leaders) if leads else None
        path = here.bcast(path)
        mapped = _mapped(path, like.dtype, (count, *like.shape[1:]))
        here.Barrier()
        if leads:
            path.unlink()  # the mapping stays
        return mapped


def _mapped(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """UserError where the file is not seen, as by containers that have folders of their own."""
    try:
        return np.memmap(path, dtype, "r", shape=shape).view(np.ndarray)
    except FileNotFoundError:
        raise UserError(
            f"{path}: not all processes of this machine see this file, by which they share images\n"
            "  name a folder that all of them see by the variable TMPDIR"
        ) from None


def _pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Its bytes, some at a time: MPI counts no more than 2³¹."""
    flat = array.reshape(-1).view(np.uint8)
    return (flat[at : at + _PIECE] for at in range(0, len(flat), _PIECE))


def _written(array: NDArray[Any] | None, like: NDArray[Any], count: int, leaders: Any) -> Path:
    """The file in which a machine's first rank keeps an array of rank 0."""
    size = count * prod(like.shape[1:]) * like.itemsize
    room = np.empty(min(size, _PIECE), np.uint8)
    own = _pieces(np.ascontiguousarray(array)) if array is not None else None
    handle, name = mkstemp(prefix="cnndsl-")
    try:
        with open(handle, "wb") as file:
            for at in range(0, size, _PIECE):
                piece = next(own) if own else room[: size - at]
                leaders.Bcast(piece, 0)
                file.write(piece.data)
    except OSError as error:
        Path(name).unlink()
        raise UserError(
            f"{name}: {error.strerror}: processes of one machine share {size / 2**20:,.0f} MiB of "
            "images in it\n  name a folder with more room by the variable TMPDIR"
        ) from None
    return Path(name)
