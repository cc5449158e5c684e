"""What `print(model)` shows of a PyTorch model, as the code that it stands for.

Only sequences say by it what a tensor goes through.
"""

import re

from cnndsl.frameworks.region import Region

_NAMED = re.compile(r"^([ \t]*)\((\w+)\): (?=\w+\()", re.MULTILINE)
_START = re.compile(r"\s*(\w+)\(\n[ \t]*\(\w+\): \w+\(")
_WAY = (
    "this is what `print(model)` shows: the layers of a class by their names, not what a tensor "
    "goes through; paste the class with its `forward`"
)


def as_code(text: str) -> str:
    """A printed `Sequential` as Python of the same length; any other text as it is."""
    start = _START.match(text)
    if start is None or start[1] != "Sequential":
        return text
    bare = _NAMED.sub(lambda match: " " * len(match[0]), text.rstrip())
    return re.sub(r"\)\n", "),", bare) + text[len(text.rstrip()) :]


def region(text: str) -> Region | None:
    """A printed model of another class; None for any other text."""
    start = _START.match(text)
    if start is None or start[1] == "Sequential":
        return None
    first = start.start(1)
    end = len(text.rstrip())
    return Region(first, end, (), ((first, start.end(1), _WAY),), what="a printed model")
