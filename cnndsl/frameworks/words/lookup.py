"""Reads the tables of words: a line holds words of other frameworks, then what they are here.

    maxpool2d maxpooling2d = pool
    lstm gru = | nothing here has a state; the nearest is `conv`, which sees neighbours in space
    leakyrelu = leaky | the slope is 0.01, as in PyTorch; Keras's is `leaky alpha=0.3`

Left of `=` stand words without their capitals, `_` and `-`; right of it our counterpart, and behind
`|` what should be known of it. A line without a counterpart says what is nearest.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from cnndsl.frameworks.words import activations, data, keys, layers, settings, training

KINDS: Mapping[str, str] = {
    "layer": layers.TABLE + activations.TABLE,
    "init": training.INITIALISERS,
    "task": training.TASKS,
    "loss": training.LOSSES,
    "optimizer": training.OPTIMIZERS,
    "schedule": training.SCHEDULES,
    "setting": settings.TABLE,
    "data": data.TABLE,
    "key": keys.TABLE,
    "augment": settings.AUGMENTATION,
}
_IGNORED = str.maketrans("", "", "_-. ")


@dataclass(frozen=True)
class Meaning:
    """What a word of another framework is here: a counterpart, a remark on it, or both."""

    counterpart: str | None
    remark: str | None

    def hint(self, word: str) -> str:
        """The help for who wrote the word."""
        if self.counterpart is None:
            remark = self.remark or "nothing here does the same"
            return f"there is no `{word}` here; {remark}" if "nearest" in remark else remark
        said = f"did you mean `{self.counterpart}`?"
        return f"{said} {self.remark}" if self.remark else said


def lookup(kind: str, word: str, known: Collection[str] | None = None) -> Meaning | None:
    """What a word is here, None where the table does not have it.

    A counterpart counts only where it begins with a `known` word; None knows all.
    """
    found = table(kind).get(_plain(word))
    if found is None or known is None or found.counterpart is None:
        return found
    there = found.counterpart.split("=")[0].split()[0] in known
    return found if there else Meaning(None, found.remark)


def kinds_of(word: str) -> Iterator[str]:
    """The kinds of things that a word names in other frameworks."""
    return (kind for kind in KINDS if _plain(word) in table(kind))


def _plain(word: str) -> str:
    return word.lower().translate(_IGNORED)


@cache
def table(kind: str) -> dict[str, Meaning]:
    """All words of a kind, without their capitals, `_` and `-`; none for tasks."""
    lines = (line for line in KINDS.get(kind, "").splitlines() if line.strip())
    return dict(entry for line in lines for entry in _entries(line))


def _entries(line: str) -> Iterator[tuple[str, Meaning]]:
    words, _, rest = line.partition(" = ")
    ours, _, remark = rest.partition("|")
    meaning = Meaning(ours.strip() or None, remark.strip() or None)
    return ((word, meaning) for word in words.split())
