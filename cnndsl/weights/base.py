"""What a weights file holds before it is fitted to a model, and what a format of such files is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cnndsl.weights.model_info import ModelInfo

Weights = Mapping[str, NDArray[np.float32]]


class Order(Enum):
    """What the order of a file's tensors says of the layers."""

    MODULES = auto()
    """As modules are defined, which is the order in which they compute."""
    GRAPH = auto()
    """Of a walk through the graph (`graph_order`), whatever the file's own."""
    CHAIN = auto()
    """As layers compute, but for branches that both have tensors, which may lie otherwise."""
    COUNTERS = auto()
    """The same, but each class by itself: `conv2d`, `conv2d_1`, then `dense`."""
    NAMES = auto()
    """None but that of names."""


@dataclass(frozen=True)
class RawWeights:
    """Tensors in the order of the file, under the names that they have there.

    `info` is what the file says of preprocessing and classes, `metadata` its other entries, `notes`
    what else it holds, which is left. With `channels_last` a flattened image is H·W·C there; of
    a `simplified` file batch norms may be folded into the layers before, and zero biases left out.
    """

    tensors: Mapping[str, NDArray[Any]]
    info: ModelInfo = field(default_factory=ModelInfo)
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    order: Order = Order.MODULES
    channels_last: bool = False
    simplified: bool = False
    notes: tuple[str, ...] = ()
    is_ours: bool = False
    """Whether cnndsl wrote it: its names are the paths of a spec."""
    eps: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of norms, by module, where the file tells it."""
    padding: Mapping[str, str] = field(default_factory=dict[str, str])
    """`same` or `valid` of convolutions, by module, where the file tells it."""
    counts_zeros: bool = True
    """False where the file tells that averages leave out the zeros around images."""


registry: list["WeightsFormat"] = []


class WeightsFormat(ABC):
    """A format of weights files. A subclass in a module of this package is registered by itself."""

    extensions: ClassVar[tuple[str, ...]]
    """In lower case, with the dot."""

    def __init_subclass__(cls) -> None:
        registry.append(cls())

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether the content of a readable file is of this format, whatever its extension."""

    @abstractmethod
    def read(self, path: Path) -> RawWeights:
        """The content; UserError where it is damaged or not of this format."""


class Refused(Exception):  # noqa: N818  (read as: the file is refused)
    """What of a file is not read; the reader adds the file and the way to mend it."""


def first_bytes(path: Path, count: int) -> bytes:
    """The start of a file, by which formats know their own."""
    with path.open("rb") as file:
        return file.read(count)


def one_line(error: Exception) -> str:
    """What a library says of a damaged file, in 200 characters; its type where it says nothing."""
    text = " ".join(str(error).split())[:200]
    kind = type(error).__name__
    return f"{kind} {text}" if isinstance(error, LookupError) else text or kind
