"""A process that opens data sets and says how each ended: `open_data.py RECORDS`, names, shapes and
folders as JSON on standard input. Its peak of memory is cnndsl's and numpy's.
"""

import json
import sys
from pathlib import Path

from cnndsl.data.formats import cifar10
from cnndsl.data.registry import open_dataset
from cnndsl.source import UserError


def outcome(name: str, size: list[int], folder: str | None) -> str:
    """`ok`, what the user is told, or what should not have happened."""
    try:
        data = open_dataset(name, tuple(size), folder and Path(folder))
        return f"ok: {len(data.train)}"
    except UserError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"BROKEN: {type(error).__name__}: {error}"


cifar10._BYTES = int(sys.argv[1]) * 3073
json.dump([outcome(*case) for case in json.load(sys.stdin)], sys.stdout)
