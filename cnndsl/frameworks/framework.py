"""Which framework a call is of, and the call in our words."""

import re
from dataclasses import dataclass

from cnndsl.frameworks import jax_layers, keras_rearrange, torch_rearrange
from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.registry import Table
from cnndsl.frameworks.values import Call
from cnndsl.frameworks.words import lookup

KERAS, TORCH, JAX = "Keras", "PyTorch", "JAX"
_TABLES: dict[str, Table] = {
    KERAS: keras_rearrange.LAYERS, TORCH: torch_rearrange.LAYERS, JAX: jax_layers.LAYERS,
}  # fmt: skip
_PREFIXES = {
    KERAS: {"keras", "layers", "tf", "tensorflow", "tfl", "L", "models", "optimizers"},
    TORCH: {"nn", "torch", "optim", "lr_scheduler"},
    JAX: {"hk", "linen", "nn", "nnx"},
}
_MARKS = {  # names that only one of them has; `nn` may be PyTorch's or Flax's
    KERAS: _PREFIXES[KERAS], TORCH: {"torch", "optim"}, JAX: {"jax", "flax", "linen", "hk", "jnp"},
}  # fmt: skip
_OWN = {
    KERAS: _TABLES[KERAS].entries.keys() - _TABLES[TORCH].entries.keys(),
    TORCH: _TABLES[TORCH].entries.keys() - _TABLES[KERAS].entries.keys(),
}
_WRAPPERS = ("Model", "Module", "Functional", "Network")
_NAME = re.compile(r"[A-Za-z_]\w*")
_LET = re.compile(r"\blet[ \t]+(\w+)")
_BLOCK = re.compile(r"\bblock[ \t]+\w+[ \t]*\(([^)]*)\)")


@dataclass(frozen=True)
class Context:
    """What the text around says of the frameworks that it is of."""

    frameworks: tuple[str, ...] = (KERAS, TORCH)
    """Without a module before a call, JAX is none of them unless the text names it."""
    names: frozenset[str] = frozenset()
    """Variables of the spec: what a call may name."""


def context_of(text: str) -> Context:
    """The one framework whose own names a text has, or both where it is not told."""
    names, ours = set(_NAME.findall(text)), _variables(text)
    if names & _MARKS[JAX] and not names & (_MARKS[KERAS] | _MARKS[TORCH]):
        return Context((JAX,), ours)
    seen = tuple(each for each in (KERAS, TORCH) if names & (_OWN[each] | _MARKS[each]))
    return Context(seen if len(seen) == 1 else (KERAS, TORCH), ours)


def _variables(text: str) -> frozenset[str]:
    """What `let` and the heads of blocks define in a spec."""
    heads = " ".join(_BLOCK.findall(text))
    return frozenset((*_LET.findall(text), *_NAME.findall(heads), "ch"))


def is_layer(call: Call) -> bool:
    """Whether a call makes a layer, one with a counterpart here or one without."""
    if any(call.name in table for each, table in _TABLES.items() if each != JAX):
        return True
    if call.name in _TABLES[JAX] and "." in call.path:
        return True
    made = call.name[:1].isupper() and call.name not in _WRAPPERS
    return made and lookup("layer", call.name) is not None


def frameworks_of(call: Call, context: Context) -> tuple[str, ...]:
    """The frameworks that a call may be of."""
    modules = set(call.path.split(".")[:-1])
    told = tuple(each for each, names in _PREFIXES.items() if modules & names)
    named = [each for each, table in _TABLES.items() if call.name in table]
    for choice in (told, context.frameworks, (KERAS, TORCH)):
        both = tuple(each for each in named if each in choice)
        here = tuple(each for each in both if each in context.frameworks)
        if both:
            return here or both
    return told or context.frameworks


def layer(call: Call, context: Context) -> str:
    """A layer in our words; NoCounterpart, NotTheirs.

    Where the frameworks that it may be of differ, both are named: nothing is guessed.
    """
    texts = dict[str, str]()
    named = [each for each in frameworks_of(call, context) if call.name in _TABLES[each]]
    if not named:
        return _by_word(call)
    problem: Exception = NotTheirs(call.name)
    for framework in named:
        try:
            texts[framework] = _TABLES[framework].written(call)
        except (NotTheirs, NoCounterpart) as error:
            problem = problem if isinstance(problem, NoCounterpart) else error
    if not texts:
        raise problem
    if len(set(texts.values())) > 1:
        listed = ", ".join(f"`{text}` in {each}" for each, text in texts.items())
        raise NoCounterpart(f"which framework is it? It is {listed}")
    return next(iter(texts.values()))


def _by_word(call: Call) -> str:
    """A layer that only the table of words knows."""
    meaning = lookup("layer", call.name)
    if meaning is None or (meaning.counterpart and (call.arguments or call.keywords)):
        raise NotTheirs(call.name)
    if meaning.counterpart is None:
        raise NoCounterpart(meaning.hint(call.name))
    return meaning.counterpart
