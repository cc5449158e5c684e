"""A process that checks broken specs and says what it saw: `fuzz_specs.py KIND SEED COUNT FOLDER`.

It holds nothing but cnndsl, so that its peak of memory is cnndsl's.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from random import Random
from time import process_time

import mutate

import cnndsl
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import decode, read
from cnndsl.report.diagnostics import FORMATS
from cnndsl.report.manual import codes
from cnndsl.source import Diagnostic, UserError
from cnndsl.style import Style

PAGES = set(codes())


def wrong(d: Diagnostic) -> str | None:
    """What a diagnostic lacks."""
    length = len(d.span.source.text)
    if d.code not in PAGES:
        return f"{d.code} has no page"
    if not 0 <= d.span.start <= d.span.end <= length:
        return f"{d.code} at {d.span.start}-{d.span.end} of {length}"
    if not d.message or d.span.line < 1 or d.span.column < 1:
        return f"{d.code} says nothing"
    return None


def checked(kind: str, rng: Random, folder: Path) -> list[Diagnostic]:
    """What is said of one broken spec, by the way that it takes into cnndsl."""
    match kind:
        case "tokens":
            return cnndsl.check(mutate.by_tokens(rng))
        case "grammar":
            return cnndsl.check(mutate.by_grammar(rng))
        case "bytes":
            return cnndsl.check(decode(mutate.by_bytes(rng)))
        case _:
            path = folder / "random.cnn"
            path.write_bytes(mutate.random_bytes(rng))
            return analyse(read(path))[1]


def one(kind: str, rng: Random, folder: Path) -> tuple[list[Diagnostic], list[str]]:
    """Diagnostics, and what is wrong with the answer itself."""
    try:
        found = checked(kind, rng, folder)
        problems = [problem for d in found if (problem := wrong(d))]
        if rng.random() < 0.02:  # most of their time would go into drawing tables otherwise
            for render in FORMATS.values():
                render(found, Style(True))
        return found, problems
    except UserError as error:
        return [], [] if kind == "files" and "KiB" in str(error) else [f"UserError: {error}"]
    except Exception as error:
        return [], [f"{type(error).__name__}: {error}"]


def main(kind: str, seed: int, count: int, folder: Path) -> None:
    """Each input has its own seed, so that any can be had again."""
    slowest, problems, seen = 0.0, list[str](), Counter[str]()
    for i in range(count):
        start = process_time()
        found, wrongs = one(kind, Random(f"{kind} {seed} {i}"), folder)
        seconds = process_time() - start
        slowest = max(slowest, seconds)
        seen.update(d.code for d in found)
        problems += [f"{kind} {seed} {i}: {text}" for text in wrongs]
        if seconds > 2:
            problems.append(f"{kind} {seed} {i}: {seconds:.1f} s")
    said = {"count": count, "slowest": slowest, "problems": problems[:20], "codes": seen}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
