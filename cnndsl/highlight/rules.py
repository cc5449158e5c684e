"""The table: what each stretch of a spec is, as regular expressions over the registered words.

The expressions mean the same in Python's `re` and in Oniguruma, and none looks beyond its line, so
that one table makes both the Pygments lexer and the TextMate grammar. Of the rules that match at a
place, the first one holds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cnndsl.fields import Word, flags, keys
from cnndsl.layers import vocabulary
from cnndsl.passes.control import RESERVED, WORDS
from cnndsl.passes.values import FUNCTIONS
from cnndsl.recipe import CHOSEN, PLAIN, Data

SPACE = r"[ \t\r\f]"
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
END = r"(?![A-Za-z0-9_.])"  # a number ends here: `32abc` is none

LOGIC = {"and", "or", "not"}
BOOLEANS = {"true", "false"}
CHANNELS = {"ch"}
OPT_OUT = {"plain"}


@dataclass(frozen=True)
class Rule:
    """An expression and what it finds: the whole of it, or each of its groups ("" for nothing)."""

    regex: str
    kinds: tuple[str, ...]
    enters: str = ""
    """The region that begins here."""

    @property
    def grouped(self) -> bool:
        """Whether the kinds are those of groups."""
        return re.compile(self.regex).groups > 0


@dataclass(frozen=True)
class Region:
    """Where other rules hold, from a rule that enters it to its end."""

    end: Rule
    rules: tuple[Rule, ...]


def rule(regex: str, *kinds: str, enters: str = "") -> Rule:
    """A rule with a kind for each group, or one for all where there are no groups."""
    assert len(kinds) == max(1, re.compile(regex).groups), regex
    return Rule(regex, kinds, enters)


def one_of(words: Iterable[str]) -> str:
    """An expression for whole words."""
    return rf"\b(?:{'|'.join(sorted(words))})\b"


def _taken(classes: Iterable[type[Word]]) -> tuple[set[str], set[str]]:
    """The keys and the flags of some words."""
    found = list(classes)
    return {k for c in found for k in keys(c)}, {f for c in found for f in flags(c)}


CONTROL = {*RESERVED, *WORDS} - LOGIC - BOOLEANS - CHANNELS - OPT_OUT
LAYERS = vocabulary().keys() - CONTROL
FOLLOWERS = {word for word in LAYERS if vocabulary()[word].post}
KEYS, _LAYER_FLAGS = _taken(vocabulary().values())
FLAGS = _LAYER_FLAGS | OPT_OUT
CHOICES = {
    name for cls in vocabulary().values() for spec in keys(cls).values() for name in spec.words
}
RECIPES = {word: cls for registry in CHOSEN.values() for word, cls in registry.items()}
SETTINGS = {*PLAIN, *CHOSEN}
TRAIN_KEYS, TRAIN_FLAGS = _taken((*PLAIN.values(), *RECIPES.values()))

_ASSIGNED = rf"(?={SPACE}*=(?!=))"
# `/2`, `/stride`, `*3`: a space before and none after; all else is arithmetic.
_LEANS = rf"(?<={SPACE})%s(?![/\s#])(?:[0-9]+(?:x[0-9]+)*{END})?"


# `keep params < 100k`; the number may have a unit, which it has nowhere else.
_KEEP = rf"\b(keep{SPACE}+)({NAME}{SPACE}*)([<>]=?{SPACE}*)([0-9.]+[A-Za-z0-9+-]*)"


def _defining(words: set[str], kind: str) -> Rule:
    """A keyword and the name behind it."""
    return rule(rf"({one_of(words)})({SPACE}+)({NAME})", "keyword", "", kind)


VALUES = (
    rule(r"#[^\n]*", "comment"),
    rule(r'"[^"\n]*"', "string"),
    rule(rf"[0-9]+(?:x[0-9]+)+{END}", "size"),
    rule(rf"(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?{END}", "number"),
    rule(r"\.?[0-9][A-Za-z0-9_.]*", "error"),
    rule(rf"{one_of(FUNCTIONS)}(?=\()", "function"),
    rule(one_of(LOGIC), "logic"),
    rule(one_of(BOOLEANS), "boolean"),
    rule(one_of(CHANNELS), "channels"),
    rule(r"\(", "punctuation", enters="parentheses"),
)
REST = (
    rule(rf"\b{NAME}{_ASSIGNED}", "parameter"),
    rule(NAME, "name"),
    rule(r"==|!=|<=|>=|//|[-+*/%<>=]", "operator"),
    rule(r"[{}|;:,)]", "punctuation"),
)
ITEMS = (*VALUES, rule(_LEANS % "/", "stride"), rule(_LEANS % r"\*", "repeat"))

REGIONS = {
    # All is arithmetic here, and names are names. The end of a statement closes them, too.
    "parentheses": Region(rule(r"(\))|(?=;)|$", "punctuation"), (*VALUES, *REST)),
    "train": Region(
        rule(r"\}", "punctuation"),
        (
            *ITEMS,
            rule(rf"\b({Data.word})({SPACE}+)({NAME})", "setting", "", "choice"),
            rule(one_of(TRAIN_KEYS) + _ASSIGNED, "key"),
            rule(one_of(SETTINGS), "setting"),
            rule(one_of(RECIPES), "choice"),
            rule(one_of(TRAIN_FLAGS), "flag"),
            rule(one_of(CONTROL), "keyword"),
            *REST,
        ),
    ),
    "search": Region(
        rule(r"\}", "punctuation"),
        (
            rule(_KEEP, "keyword", "setting", "operator", "number"),
            rule(rf"\b(goal)({SPACE}+)({NAME})", "keyword", "", "choice"),
            *ITEMS,
            rule(one_of({"step"}) + _ASSIGNED, "key"),
            rule(one_of({"to", "log", "if"}), "keyword"),
            rule(one_of(SETTINGS), "setting"),
            rule(one_of(RECIPES), "choice"),
            *REST,
        ),
    ),
}
_OPENING = rf"(?:^|(?<=[;{{|:]))({SPACE}*)"
_KNOWN = CONTROL | LAYERS | FLAGS | LOGIC | BOOLEANS | CHANNELS
SPEC = (
    rule(rf"{_OPENING}(?!{one_of(_KNOWN)})({NAME})\b(?!{SPACE}*[:=])", "", "block"),
    rule(rf"\b{NAME}(?={SPACE}*:)", "label"),
    *ITEMS,
    _defining({"let"}, "name"),
    _defining({"block"}, "block"),
    _defining({"from", "output"}, "label"),
    rule(one_of({"train"}), "keyword", enters="train"),
    rule(one_of({"search"}), "keyword", enters="search"),
    rule(one_of(KEYS) + _ASSIGNED, "key"),
    rule(rf"(?<==){one_of(CHOICES)}", "choice"),
    rule(one_of(CONTROL), "keyword"),
    rule(one_of(FOLLOWERS), "follower"),
    rule(one_of(LAYERS - FOLLOWERS), "layer"),
    rule(one_of(FLAGS), "flag"),
    *REST,
)
