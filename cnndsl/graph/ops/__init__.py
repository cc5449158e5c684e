"""The operators that may stand on a tape: one file a family, one entry an operator.

An entry holds the shapes and types of an operator's outputs, its traits, and its gradients; whoever
asks for any of them asks here. A file added to this folder is found; no list is edited.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cnndsl.graph.ops.base import Operator, Trait, registry


@cache
def operators() -> dict[str, Operator]:
    """Every operator by its ONNX name."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return registry


def operator(name: str) -> Operator:
    """The entry of an operator; KeyError says where one that has none gets it."""
    entry = operators().get(name)
    if entry is None:
        raise KeyError(f"operator {name} has no entry in cnndsl/graph/ops")
    return entry


def has(name: str, trait: Trait) -> bool:
    """Whether an operator has a trait."""
    return trait in operator(name).traits


def with_trait(trait: Trait) -> list[str]:
    """The operators that have a trait."""
    return [name for name, entry in operators().items() if trait in entry.traits]
