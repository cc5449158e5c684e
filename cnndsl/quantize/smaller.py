"""A model in smaller numbers, as a value."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.argument_types import as_path
from cnndsl.backend.check import checked_bytes
from cnndsl.files import write_whole

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, eq=False, repr=False)
class Smaller:
    """The model, and in `proof` what its smaller numbers cost and win; that also stands in the
    model's metadata.
    """

    model: "ModelProto"
    proof: Any

    def save(self, path: str | Path) -> None:
        """Write the model to a file; UserError where that cannot be done."""
        write_whole(as_path("path", path), checked_bytes(self.model))

    def __repr__(self) -> str:
        return str(self.proof.table())

    def _repr_html_(self) -> str:
        return self.proof.table().html()
