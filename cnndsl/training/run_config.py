"""What a run is started with: one record, built by the command line and by Python alike.

`args.yaml` of the run folder holds it as lines `key: JSON`. Together with `model.cnn` and the
checkpoints it is all that a run needs to go on.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any, cast

from cnndsl.data.registry import located
from cnndsl.finetune import Weights
from cnndsl.ir import Model
from cnndsl.lower.driver import Plan
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.recipe import Recipe
from cnndsl.recipe_checks import micro_batches
from cnndsl.source import Failed, UserError, either, listed, option
from cnndsl.training.batches import part_size
from cnndsl.training.formats import FORMAT, check_format, from_format_1
from cnndsl.training.interval import interval
from cnndsl.training.recipe_json import from_json, to_json, whole
from cnndsl.training.settings import Settings
from cnndsl.version import version

NAME = "args.yaml"
_FILE = ("weights", "fresh", "name_map", "preprocess")
_KINDS: dict[str, type] = {
    "lets": dict, "data": str, "lr": Real, "data_dir": str, "device": str,
    "threads": int, "conv": str, "micro_batch": int, "checkpoint_every": str, "counts": list,
    "images": int, "sync_bn": bool,
}  # fmt: skip


@dataclass(frozen=True)
class RunConfig:
    """A run but for its spec, its checkpoints and how it is shown.

    `recipe` holds the settings that stand above the spec's `train` section, as values; `lr` stands
    above the optimizer's. `data_dir` is a whole path. `counts` and `images` are of
    the training targets: other data are measured by the same loss.
    """

    file: str = "model.cnn"
    lets: Mapping[str, float] = field(default_factory=dict[str, float])
    data: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lr: float | None = None
    data_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    conv: str = "auto"
    micro_batch: int | None = None  # images computed at once
    sync_bn: bool = False  # whether `bn` normalises over all processes
    checkpoint_every: str | None = None  # steps, or minutes as `10m`
    version: str = field(default_factory=version)  # of the cnndsl that began the run
    counts: tuple[int, ...] | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        if self.lr is not None and not isfinite(self.lr):
            raise UserError(f"lr: {self.lr} is not a learning rate")
        interval(self.checkpoint_every)  # refused here, if it is none

    @staticmethod
    def of(model: Model, recipe: Recipe) -> "RunConfig":
        """The record of a model under a whole recipe, whatever its spec says."""
        return RunConfig(f"{model.name}.cnn", model.settings, recipe.data, whole(recipe))

    def changed(self, recipe: Mapping[str, Any] | None = None, **changes: Any) -> "RunConfig":
        """The record with other values; settings of `recipe` are added to those that it has.

        A whole optimizer brings a learning rate of its own. Relative paths are those of here.
        """
        given = dict(recipe or {})
        data = given.pop("data", self.data)
        if "optimizer" in given:
            changes = {"lr": None} | changes
        if changes.get("data_dir"):
            changes["data_dir"] = Path(changes["data_dir"]).resolve()
        return replace(
            self, data=data and located(data), recipe={**self.recipe, **given}, **changes
        )

    def recipe_for(self, model: Model) -> Recipe:
        """The model's recipe under the settings of this record."""
        spec = model.recipe or Recipe()
        recipe = replace(spec, **self.recipe, data=self.data or (spec.data and located(spec.data)))
        if self.lr is None:
            return recipe
        optimizer: Any = replace(cast(Any, recipe.optimizer), lr=self.lr)  # a dataclass
        return replace(recipe, optimizer=optimizer)

    def settings(self, out: Path | None, recipe: Recipe, ranks: int = 1, **shown: Any) -> Settings:
        """Where and how to compute; `shown` are settings beside those of this record."""
        part = part_size(recipe, ranks)
        size = self.micro_batch
        if size and ranks > 1:
            size = min(size, part)
        count = size and micro_batches(part, size)
        within = interval(self.checkpoint_every)
        return Settings(
            out, self.device, self.threads, Plan(self.conv), count, self.sync_bn, within=within,
            **shown,
        )  # fmt: skip

    def written(self) -> dict[str, Any]:
        """As JSON values, for `args.yaml`."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["data_dir"] = self.data_dir and str(self.data_dir)
        values["set"] = values.pop("lets")
        return {"format": FORMAT, **values, "recipe": to_json(self.recipe)}


def read_config(run: Path) -> RunConfig:
    """The record of a run folder, also one that an earlier version has written."""
    origin = str(run / NAME)
    stored = _stored(run)
    check_format(stored.get("format", 1), origin)
    if "format" not in stored:
        return _config(from_format_1(stored), origin)
    return config_from(stored, origin)


def config_from(stored: Mapping[str, Any], origin: str) -> RunConfig:
    """The record that `RunConfig.written` gave; UserError or Failed where it is none."""
    return _config({**stored, "recipe": from_json(stored.get("recipe", {}), origin)}, origin)


def _stored(run: Path) -> dict[str, Any]:
    try:
        lines = (run / NAME).read_text(encoding="utf-8").splitlines()
        parts = [line.partition(": ") for line in lines if line]
        return {key: json.loads(value) for key, _, value in parts}
    except (OSError, ValueError):
        raise UserError(
            f"{run} is not a run folder ({NAME} cannot be read)\n  {_way_on(run)}"
        ) from None


def _way_on(path: Path) -> str:
    """What to name in place of a path that is not a run folder."""
    around = next((p for p in path.absolute().parents if (p / NAME).is_file()), None)
    if around is not None:
        return f"the run is {os.path.relpath(around)}"
    inside = sorted(found.parent for found in path.glob(f"*/{NAME}"))
    if inside:
        return f"runs are in it: {listed([str(each) for each in inside], 3)}"
    if path.suffix == ".cnn":
        return either(f"`cnndsl train {path}` makes one", "`cnndsl.train` makes one")
    return either("`cnndsl train` makes one", "`cnndsl.train` makes one") + ", such as runs/train"


def _config(stored: Mapping[str, Any], origin: str) -> RunConfig:
    """A record of what is stored; keys that it has not are left out."""
    values: dict[str, Any] = {"lets": stored.get("set") or {}, **stored}
    for name, kind in _KINDS.items():
        if not isinstance(values.get(name), kind | None):
            raise UserError(f"{origin}: {name}: {values[name]!r} is not of type {kind.__name__}")
    values["data_dir"] = Path(values["data_dir"]) if values.get("data_dir") else None
    known = {f.name for f in fields(RunConfig)}
    return RunConfig(**{name: value for name, value in values.items() if name in known})


def read_model(run: Path, config: RunConfig) -> Model:
    """The spec of a run folder under its settings, by the name that it had."""
    model, found = analyse(read(run / "model.cnn"), config.lets, None)
    if model is None:
        raise Failed(found)
    return replace(model, name=Path(config.file).stem)


def weights_of(before: Weights | None, options: Mapping[str, Any]) -> dict[str, Weights]:
    """The setting `weights` under options `weights fresh name_map preprocess`; none where none is.

    UserError for what says something of a file where there is none.
    """
    given = {key: options[key] for key in _FILE if options.get(key)}
    named = given.pop("weights", None)
    file = Weights(str(named)) if named else before
    if file is None and given:
        name = next(iter(given)).removeprefix("name_")
        raise UserError(f"{option(name)} says something of the weights, and there are none")
    given |= {"fresh": tuple(given["fresh"])} if "fresh" in given else {}
    given |= {"name_map": str(given["name_map"])} if "name_map" in given else {}
    return {"weights": replace(file, **given)} if file and (named or given) else {}
