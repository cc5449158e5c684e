"""How much a hardening program does: little in `make test`, all of it in `make harden`."""

import os
from collections.abc import Callable

Figure = Callable[[str], None]
"""What the fixture `figure` is: it says what was counted or measured."""
LONG = os.environ.get("CNNDSL_HARDEN") == "long"


def count(short: int, long: int) -> int:
    """The short figure, or the long one where CNNDSL_HARDEN=long is set."""
    return long if LONG else short
