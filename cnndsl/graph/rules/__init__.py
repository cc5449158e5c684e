"""The gradients, one entry each; a file added here is found."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules


@cache
def load() -> None:
    """Import every file of rules."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
