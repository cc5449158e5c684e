"""One of several workers: `python -m cnndsl.study.process STUDY THREADS SECONDS`."""

import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from cnndsl.source import UserError
from cnndsl.study.folder import StudyFolder
from cnndsl.study.results import print_told
from cnndsl.study.worker import Worker
from cnndsl.training.signals import Interrupted, terminable


def main(path: str, threads: str, seconds: str) -> int:
    """Work on a study; `seconds` may be infinite."""
    folder, plan = StudyFolder.opened(Path(path))
    plan = replace(plan, run=replace(plan.run, threads=int(threads)))

    def say(trial: Any) -> None:
        print_told(folder, trial, plan.goals)

    try:
        with terminable():
            Worker(folder, plan, monotonic() + float(seconds), say).work()
    except Interrupted as interrupted:
        return interrupted.code
    except KeyboardInterrupt:
        return 130
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
