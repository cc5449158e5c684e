"""How much a hardening program does: little in `make test`, all of it in `make harden`."""

import os

LONG = os.environ.get("CNNDSL_HARDEN") == "long"


def count(short: int, long: int) -> int:
    """The short figure, or the long one where CNNDSL_HARDEN=long is set."""
    return long if LONG else short
