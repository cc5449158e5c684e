"""Settings of fine-tuning: where weights come from, what is frozen, and at which rate the rest
learns.

A pattern names layers, blocks or tensors by their paths, as `summary` has them; `*` is any text.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from cnndsl.fields import Word, arg, key


@dataclass(frozen=True)
class Weights(Word, word="weights"):
    """The file of weights to start from: `weights "resnet18.pth" fresh="head"`."""

    file: str = arg("text", doc="a file as `--weights` takes it")
    fresh: tuple[str, ...] = key("texts", default=(), doc="layers that start anew; head: the last")
    name_map: str | None = key(
        "text", name="map", doc="a map of names, as `weights match --write-map` drafts it"
    )
    preprocess: str | None = key("text", doc="how its images were prepared: imagenet, …")

    def at_home(self) -> "Weights":
        """The same by whole paths, as it is found from anywhere."""
        name_map = self.name_map and str(Path(self.name_map).resolve())
        return replace(self, file=str(Path(self.file).resolve()), name_map=name_map)


@dataclass(frozen=True)
class Freeze(Word, word="freeze"):
    """Layers that do not learn: `freeze "stem*" "stage_1.*" until=3`.

    Their tensors are constants, and their `bn` uses its running statistics. `body` is all but the
    last weighted layers. A `freeze` of its own says other layers, or other epochs.
    """

    layers: tuple[str, ...] = arg("texts", doc='paths, `*` is any text: "stem*"; or body')
    start: int = key("int", name="from", default=0, low=0, doc="frozen from this epoch; 0: at once")
    until: int | None = key("int", low=1, doc="learned from this epoch on; never, where not given")

    def holds(self, epoch: int) -> bool:
        """Whether the layers are frozen in an epoch; the first is 0."""
        return self.start <= epoch and (self.until is None or epoch < self.until)


@dataclass(frozen=True)
class Cache(Word, word="cache"):
    """Features of a body that is frozen for the whole run, computed once: `cache features`.

    The head then learns from them, in memory. Images that are augmented need `views=8`: each has
    so many augmented views, of which an epoch shows one.
    """

    what: str = arg("choice", choices=("features",), doc="features: what the frozen layers give")
    views: int | None = key("int", low=1, doc="augmented views of each image")


@dataclass(frozen=True)
class Rate(Word, word="rate"):
    """The learning rate of some layers, as a share of `lr`: `rate "stem*" 0.1`.

    Of several that fit a tensor the last one counts.
    """

    layers: str = arg("text", doc='a path, `*` is any text: "stem*"; or body, head')
    factor: float = arg("float", low=1e-9, doc="times the learning rate")
