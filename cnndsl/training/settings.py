"""What a run is given besides model and recipe."""

from dataclasses import dataclass, field
from pathlib import Path

from cnndsl.argument_types import as_whole, optional
from cnndsl.data.arrays import Arrays
from cnndsl.data.decoding import Reading
from cnndsl.data.progress import check_display
from cnndsl.lower.driver import Plan
from cnndsl.runtime.session import check_device, cores
from cnndsl.training.interval import Interval


@dataclass(frozen=True)
class Settings:
    """Where and how a run computes.

    `micro_batches` is how many each batch is cut into, calibrated at the start where it is None;
    `plan` says how convolutions are computed. Without `out` the run folder is the next free
    `runs/trainN`.
    """

    out: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    plan: Plan = field(default_factory=Plan)
    micro_batches: int | None = None
    sync_bn: bool = False  # whether `bn` normalises over all ranks
    every: int = 1  # epochs between checkpoints
    within: Interval = field(default_factory=Interval)  # an epoch
    progress: str = "auto"
    strict: bool = False  # whether a picture that cannot be read ends the run
    arrays: Arrays | None = None  # the data, where they are arrays in Python
    cuda_graph: bool = False  # whether CUDA plays back what the first steps launch
    draws: bool = True  # pictures of curves, images and mistakes, and what the recipe exports

    @property
    def thread_count(self) -> int:
        """How many CPU threads compute: as many as are given, or one a core."""
        return self.threads or len(cores())

    @property
    def reading(self) -> Reading:
        """How the files of the data are read."""
        return Reading(self.strict, self.progress, self.arrays)

    def __post_init__(self) -> None:
        check_device(self.device)
        check_display(self.progress)
        optional(as_whole, "threads", self.threads, 1)
