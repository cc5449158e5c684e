"""`default WORD …` reaches the word behind other words, too."""

from dataclasses import replace

from cnndsl.passes.bind import Binder
from cnndsl.passes.binding import Binding
from cnndsl.passes.scope import Defaults


def reach(binder: Binder, defaults: Defaults) -> None:
    """Give every word behind the first what its own `default` says; words come behind it.

    A word that a default adds gets its fields, but no further words: chains end.
    """
    reached = binder.bindings[:1]
    for binding in binder.bindings[1:]:
        added = _filled(binder, binding, defaults)
        reached += [binding, *added]
        for word in added:
            _filled(binder, word, defaults)
    binder.bindings = reached


def _filled(binder: Binder, binding: Binding, defaults: Defaults) -> list[Binding]:
    """Fill the free fields of one word; returns the words that its default adds."""
    alone = replace(binder, bindings=[binding])
    alone.take(defaults.get(binding.cls.word, ()), weak=True)
    binder.failed |= alone.failed
    return alone.bindings[1:]
