"""The words of other frameworks, by what they name, with their counterparts here."""

from cnndsl.frameworks.words.lookup import KINDS, Meaning, kinds_of, lookup

__all__ = ["KINDS", "Meaning", "kinds_of", "lookup"]
