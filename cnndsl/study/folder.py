"""The folder of a study: journal, spec, how it was started, a run folder for each trial."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnndsl.files import write_below, write_whole, writing
from cnndsl.passes.includes import read
from cnndsl.source import Source, UserError, either, option
from cnndsl.study.locks import FileLock
from cnndsl.study.plan import Plan
from cnndsl.training.folder import next_free
from cnndsl.training.run_config import config_from

NAME = "search.yaml"
_KEPT = ("vary", "trials", "sampler", "pruner", "seed")


def resume_call(path: Path) -> str:
    """What to type to go on with a study."""
    return either(f"cnndsl search {path} --resume", f"cnndsl.search(resume={str(path)!r})")


class StudyFolder:
    """`search.yaml model.cnn study.journal trials/ locks/`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "study.journal"
        self.lock = FileLock(path / "locks" / "study")
        """Held while a trial is taken or told."""

    @staticmethod
    def begun(path: Path | None, plan: Plan) -> "StudyFolder":
        """A new study; UserError where there is one already, or files of others."""
        plan = replace(plan, trials=plan.most_trials)
        folder = StudyFolder(path or next_free(kind="search"))
        if (folder.path / NAME).exists():
            raise UserError(
                f"{folder.path} has a study already\n"
                f"  go on with `{resume_call(folder.path)}`, or choose another {option('out')}"
            )
        if path is not None and path.exists() and any(path.iterdir()):
            raise UserError(f"{path} is not empty; give {option('out')} a folder of its own")
        with writing(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
        write_below(folder.path, {**plan.model.used, "model.cnn": plan.source.text})
        folder.remember(plan)
        return folder

    @staticmethod
    def opened(path: Path) -> tuple["StudyFolder", Plan]:
        """A study that was begun, and its plan; UserError for any other folder."""
        folder = StudyFolder(path)
        stored = _stored(path)
        run = config_from(stored["run"], str(path / NAME))
        source = read(path / "model.cnn")
        source = Source(source.text, run.file, source.path)
        known: dict[str, Any] = {key: stored[key] for key in _KEPT}
        known["vary"] = tuple(known["vary"])
        plan = Plan(source, run, **known)
        return folder, plan

    def remember(self, plan: Plan) -> None:
        """Write `search.yaml`: how the study was started."""
        said = {key: getattr(plan, key) for key in _KEPT} | {"run": plan.run.written()}
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in said.items())
        write_whole(self.path / NAME, lines.encode())

    def trial(self, number: int) -> Path:
        """The run folder of a trial."""
        return self.path / "trials" / f"{number:04}"

    def trial_lock(self, number: int) -> FileLock:
        """Held by the process that works on a trial: one that is dead holds none."""
        return FileLock(self.path / "locks" / f"{number:04}")

    def check_same(self, plan: Plan) -> None:
        """UserError where a spec is not that of this study."""
        stored = StudyFolder.opened(self.path)[1]
        if plan.source.text != stored.source.text:
            raise UserError(
                f"{self.path} is a study of another spec than {plan.source.name}\n"
                f"  go on with its own, `{resume_call(self.path)}`, or begin a new one"
            )


def _stored(path: Path) -> dict[str, Any]:
    try:
        lines = (path / NAME).read_text(encoding="utf-8").splitlines()
        found = {key: json.loads(value) for key, _, value in (x.partition(": ") for x in lines)}
        return {key: found[key] for key in ("run", *_KEPT)}
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path} is not a study ({NAME} cannot be read)\n"
            "  `cnndsl search` makes one, such as runs/search"
        ) from None


def is_study(path: Path) -> bool:
    """Whether a folder holds a study."""
    return (path / NAME).is_file()
