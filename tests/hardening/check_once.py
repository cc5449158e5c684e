"""A process that checks one spec and says what was found and how long the processor took: its start
and the import of cnndsl are left out, reading the file and the parser's tables are not.
"""

import json
import sys
from pathlib import Path
from time import process_time

from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.source import UserError

start = process_time()
try:
    found = [(d.code, f"{d.message}; {d.help}") for d in analyse(read(Path(sys.argv[1])))[1]]
except UserError as error:
    found = [("exit 2", str(error))]
json.dump({"seconds": process_time() - start, "found": found}, sys.stdout)
