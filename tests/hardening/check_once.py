"""A process that checks one spec and says what was found and how long the processor took: its start
and the import of cnndsl are left out, reading the file and the parser's tables are not.

With `calls` behind the spec it says how many calls that were, which no other work on the machine
changes.
"""

import json
import sys
from cProfile import Profile
from pathlib import Path
from pstats import Stats
from time import process_time

from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.source import UserError


def check(path: Path) -> list[tuple[str, str]]:
    try:
        return [(d.code, f"{d.message}; {d.help}") for d in analyse(read(path))[1]]
    except UserError as error:
        return [("exit 2", str(error))]


spec = Path(sys.argv[1])
if "calls" in sys.argv:
    with Profile() as profile:
        check(spec)
    said = {"calls": Stats(profile).total_calls}
else:
    start = process_time()
    found = check(spec)
    said = {"seconds": process_time() - start, "found": found}
json.dump(said, sys.stdout)
