"""Formats of data: one file each. A file added here is found; no list is edited."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cnndsl.data.formats.base import Format, registry


@cache
def formats() -> tuple[Format, ...]:
    """Every format, those that take what no other opens last."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return tuple(sorted((made() for made in registry), key=lambda each: each.is_last_resort))


def names() -> tuple[str, ...]:
    """The data sets that are known by name."""
    return tuple(sorted(each.name for each in formats() if each.name))


def listed() -> str:
    """What data can be, for help and errors: names first."""
    others = sorted(each.shown for each in formats() if each.shown and not each.name)
    *first, last = (*names(), *others)
    return f"{', '.join(first)} or {last}"
