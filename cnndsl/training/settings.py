"""What a run is given besides model and recipe."""

from dataclasses import dataclass, field
from pathlib import Path

from cnndsl.lower.driver import Plan


@dataclass(frozen=True)
class Settings:
    """Where and how a run computes.

    `pieces` cuts each batch into micro-batches and `plan` says how convolutions are computed; where
    `pieces` is None both are calibrated at the start.
    """

    out: Path
    device: str = "cpu"
    threads: int | None = None
    plan: Plan = field(default_factory=Plan)
    pieces: int | None = None
    every: int = 1  # epochs between checkpoints
    progress: str = "auto"  # auto, bar, lines, none
    strict: bool = False  # whether a picture that cannot be read ends the run
