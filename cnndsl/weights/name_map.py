"""Maps of names: which tensor of a file is which of a model, as a JSON object that people write.

    {"stem.0": "conv_1", "head.*": "dense_1.*", "aux.*": null}

On the left stands a module or tensor of the file, on the right one of the model, or null for what
is left out; `*` is any text, the same on both sides, in order.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cnndsl.fields import nearest
from cnndsl.source import UserError
from cnndsl.weights.modules import Module

_LARGEST = 16 * 2**20  # bytes
_MOST_STARS = 4  # in a pattern: each may take any text


@dataclass(frozen=True)
class NameMap:
    """Patterns of the file's names, each with the model's name, or None for what is left out."""

    entries: Mapping[str, str | None]
    origin: str

    def targets(self, names: Sequence[str]) -> dict[str, str | None]:
        """For each name that a pattern fits, the model's name.

        UserError where two patterns differ over a name, and for patterns that fit none.
        """
        found = dict[str, str | None]()
        for pattern, target in self.entries.items():
            fitting = _pattern(pattern)
            matches = [m for name in names if (m := fitting.fullmatch(name))]
            if not matches:
                raise self._unknown(pattern, names)
            for match in matches:
                name, own = match.string, target and _filled(target, match.groups())
                if found.setdefault(name, own) != own:
                    both = f"`{found[name] or 'null'}` and `{own or 'null'}`"
                    raise UserError(
                        f"{self.origin}: `{name}` is both {both}\n"
                        "  let one of these patterns not fit it"
                    )
        return found

    def _unknown(self, pattern: str, names: Sequence[str]) -> UserError:
        close = nearest(pattern, set(names))
        hint = f"did you mean `{close}`?" if close else "`cnndsl weights show FILE` lists its names"
        return UserError(f"{self.origin}: nothing in the file is called `{pattern}`\n  {hint}")


def read_map(path: Path) -> NameMap:
    """A map from its file; UserError where it is none, or still holds choices of a draft."""
    try:
        if path.stat().st_size > _LARGEST:
            raise UserError(f"{path} is larger than {_LARGEST:,} bytes, and so no map of names")
        entries = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a JSON object of names: {error}") from None
    if not isinstance(entries, dict):
        raise UserError(f'{path} is not a JSON object of names, such as {{"stem.0": "conv_1"}}')
    for name, target in cast("dict[str, Any]", entries).items():
        _check(name, target, path)
    return NameMap(cast(Any, entries), str(path))


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError where a name stands twice."""
    found = dict[str, Any]()
    for name, value in pairs:
        if name in found:
            raise ValueError(f"`{name}` stands there twice")
        found[name] = value
    return found


def _check(name: str, target: Any, path: Path) -> None:
    if isinstance(target, list):
        listed = ", ".join(map(str, cast("list[Any]", target)))
        raise UserError(f"{path}: `{name}` is still open: choose one of {listed}")
    if target is not None and not isinstance(target, str):
        raise UserError(f"{path}: `{name}` has {target!r}; give a name of the model, or null")
    if name.count("*") > _MOST_STARS:
        raise UserError(f"{path}: `{name}` has more than {_MOST_STARS} `*`")
    if target is not None and target.count("*") > name.count("*"):
        raise UserError(f"{path}: `{target}` has more `*` than `{name}`")


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile("(.*)".join(map(re.escape, pattern.split("*"))))


def _filled(target: str, texts: Sequence[str]) -> str:
    """Each `*` as the text that the file's name has there."""
    first, *parts = target.split("*")
    return first + "".join(text + part for text, part in zip(texts, parts, strict=False))


def draft(own: Sequence[Module], theirs: Sequence[Module]) -> dict[str, Any]:
    """A map to begin with: for each module the only one that fits it, or a list to choose from."""
    fitting = {
        m.path or next(iter(m.shapes)): [mine.path for mine in own if mine.pairs(m) is not None]
        for m in theirs
    }
    wanted = Counter(path for paths in fitting.values() for path in paths)
    return {
        name: paths[0] if len(paths) == 1 and wanted[paths[0]] == 1 else paths or None
        for name, paths in fitting.items()
    }
