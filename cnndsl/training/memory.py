"""What a training step will need of the memory, and what of it is free: told before it starts."""

import ctypes
import os
from math import inf, prod
from pathlib import Path

from cnndsl.backend.step import Step, StepOptions, sees_whole_batch
from cnndsl.ir import Model
from cnndsl.learned import constant_nodes
from cnndsl.runtime.arena import arena_bytes
from cnndsl.source import UserError, counted, option
from cnndsl.weights.base import Weights

_RUNTIME = 4 << 20  # what a session takes before its first node
_NODE = 12 << 10  # bytes of a session for each node
_ARENA = 1.05  # kernels' own scratch
_FLOAT = 4


class TooLarge(UserError):  # noqa: N818
    """A step would not fit into the memory that is free."""


def step_bytes(step: Step, weights: Weights) -> int:
    """Largest resident set of a step on the CPU, beyond that of the process before it was built.

    The state twice (each step writes the other), the first weights, constants in the tape and in
    the session, and what the runtime's arena touches.
    """
    return _fixed(step, weights) + int(_ARENA * arena_bytes(step.tape))


def _fixed(step: Step, weights: Weights) -> int:
    """The part that does not depend on the batch."""
    tape = step.tape
    state = sum(v.size * _FLOAT for v in tape.inputs if f"{v.name}.new" in tape.outputs)
    constants = sum(array.nbytes for array in tape.consts.values())
    own = sum(array.nbytes for array in weights.values())
    return 2 * state + own + 2 * constants + _NODE * len(tape.nodes) + _RUNTIME


def check_step(model: Model, step: Step, options: StepOptions, weights: Weights) -> None:
    """TooLarge, with the estimate and a batch that fits, where the step would not.

    Validation has the weights in its graph besides: while that is built, four times.
    """
    beside = 4 * sum(array.nbytes for array in weights.values())
    fixed, free = _fixed(step, weights) + beside, free_bytes()
    needed = step_bytes(step, weights) + beside
    if needed <= free:
        return
    each = (needed - fixed) / _held(model, options)
    fits = int((free - fixed) / each)
    hint = f"a smaller batch: about {fits:,} fit" if fits > 0 else "a smaller net"
    if fits > 0 and not sees_whole_batch(model, options.frozen):
        hint += f"; or the same in micro-batches: {option('micro-batch', fits)} or less"
    raise TooLarge(f"{_told(options)} needs about {size_told(needed)} of memory; "
                   f"{size_told(free)} are free\n  try {hint}")  # fmt: skip


def check_weights(model: Model) -> None:
    """TooLarge where not even weights and state fit, before any of them is drawn."""
    tensors = sum(prod(p.shape) for p in model.tensors().values())
    needed, free = 5 * _FLOAT * tensors, free_bytes()
    if needed > free:
        raise TooLarge(f"{counted(tensors, 'weight')} with the optimizer's state need more than "
                       f"{size_told(needed)} of memory; {size_told(free)} are free\n"
                       "  try a smaller net")  # fmt: skip


def check_activations(model: Model, options: StepOptions) -> None:
    """TooLarge where not even what the gradient reads fits, before the step is written.

    That is at least what the layers with weights give; a step far too large is costly to write.
    """
    fixed = constant_nodes(model, frozenset(options.frozen))
    kept = sum(
        prod(n.shape) for i, n in enumerate(model.nodes)
        if i not in fixed and any(len(p.shape) > 1 for p in n.params)
    )  # fmt: skip
    needed, free = _FLOAT * kept * _held(model, options), free_bytes()
    if needed > free:
        fits = int(free / 3 / (_FLOAT * kept))  # as a rule
        raise TooLarge(f"{_told(options)} needs more than {size_told(needed)} of memory; "
                       f"{size_told(free)} are free\n"
                       f"  try a smaller batch: {fits:,} may fit")  # fmt: skip


def _held(model: Model, options: StepOptions) -> int:
    """Pictures whose activations the gradient reads at the same time."""
    whole = sees_whole_batch(model, options.frozen)
    return options.batch if whole else options.micro_batch


def trim_heap() -> None:
    """Return freed memory to the system: glibc would hold some tens of megabytes of each epoch."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def free_bytes() -> float:
    """What this process may still take, of the machine and of its control groups."""
    return min(_of_machine(), *(_of_group(folder) for folder in _groups()), inf)


def _of_machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return inf
    found = {key: text.split() for key, _, text in (line.partition(":") for line in lines)}
    return int(found["MemAvailable"][0]) * 1024 if "MemAvailable" in found else inf


def _groups() -> list[Path]:
    """The folders of this process's control groups, from its own up to the root."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = list[Path]()
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds == "" or "memory" in kinds.split(","):
            top = root / "memory" if kinds else root
            own = top / path.strip("/")
            found += [own, *(p for p in own.parents if p.is_relative_to(top))]
    return found


def _of_group(folder: Path) -> float:
    """Limit less use, in version 2 or 1. The cache of files can be dropped: it counts as free."""
    for limit, used in (("memory.max", "memory.current"),
                        ("memory.limit_in_bytes", "memory.usage_in_bytes")):  # fmt: skip
        try:
            most, now = (folder / limit).read_text().strip(), int((folder / used).read_text())
            if most != "max":
                return int(most) - now + _cached(folder)
        except (OSError, ValueError):
            continue
    return inf


def _cached(folder: Path) -> int:
    for line in (folder / "memory.stat").read_text().splitlines():
        key, _, number = line.partition(" ")
        if key in ("inactive_file", "total_inactive_file"):
            return int(number)
    return 0


def _told(options: StepOptions) -> str:
    cut = f" in micro-batches of {options.micro_batch:,}" if options.micro_batches > 1 else ""
    return f"a step of {counted(options.batch, 'picture')}{cut}"


def size_told(count: float) -> str:
    """Bytes in a unit that suits."""
    if count >= 2**30:
        return f"{count / 2**30:,.1f} GiB"
    return f"{count / 2**20:,.0f} MiB" if count >= 2**20 else f"{count / 2**10:,.0f} KiB"
