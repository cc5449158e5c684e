"""The vocabulary: one file a family of layers. A file added here is found; no list is edited."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cnndsl.layers.base import Layer, registry


@cache
def vocabulary() -> dict[str, type[Layer]]:
    """Every layer by its word."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(registry)
