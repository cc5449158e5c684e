"""Small texts that mean enormous things: an error that names the limit, at once."""

import json
import sys
from itertools import pairwise
from pathlib import Path

from budget import Figure, count
from processes import Ended, run

ONCE = str(Path(__file__).with_name("check_once.py"))
INPUT = "input 3x32x32\n"
Files = dict[str, str]


def _deep(opening: str, closing: str, times: int) -> str:
    return INPUT + opening * times + closing * times


def _tower(levels: int, times: int) -> str:
    """Blocks that each call the one below many times."""
    body = "".join(
        f"block b{i} {{ b{i + 1} *{times} }}\n" for i in range(levels)
    )  # times to the power of levels layers
    return f"{body}block b{levels} {{ relu }}\n{INPUT}b0"


def _chain(length: int) -> str:
    """Each block calls the next one."""
    body = "".join(f"block b{i} {{ b{i + 1} }}\n" for i in range(length))
    return f"{body}block b{length} {{ relu }}\n{INPUT}b0"


def _ring(length: int) -> str:
    """Each block calls the next one, and the last the first."""
    body = "".join(f"block b{i}{{b{(i + 1) % length}}}\n" for i in range(length))
    return f"{body}{INPUT}b0"


def _all_call_all(count: int) -> str:
    """Each block calls all that come after it: 2 to the power of their number."""
    calls = [f"b{i}" for i in range(count)]
    blocks = [f"block b{i} {{ relu; {';'.join(calls[i + 1 :])} }}" for i in range(count)]
    return "\n".join([*blocks, INPUT, "b0"])


def _includes(count: int, last: str) -> Files:
    """A chain of files; the last one includes `last`."""
    names = [f"f{i}.cnn" for i in range(count)] + [last]
    chain = {a: f'use "{b}"\n' for a, b in pairwise(names)}
    return {"bomb.cnn": f'use "f0.cnn"\n{INPUT}relu', **chain}


# What each is refused with: the code, or `exit 2`, and a part of the message.
BOMBS: dict[str, tuple[str | Files, str, str]] = {
    "40,000 braces": (_deep("add {", "}", 40_000), "E900", "40,000"),
    "20,000 braces": (INPUT + "add " + "{" * 20_000 + "}" * 19_000, "E901", "64"),
    "19,000 parentheses": (INPUT + "conv " + "(" * 19_000 + "8" + ")" * 19_000, "E901", "64"),
    "250,000 parentheses": (INPUT + "conv " + "(" * 250_000, "E900", "40,000"),
    "a million braces": ("{" * 1_000_000, "exit 2", "256 KiB"),
    "a million of `not`": (INPUT + "relu if " + "not " * 65_000 + "true", "E900", "40,000"),
    "100,000 minus signs": (INPUT + "conv 8 k=" + "-" * 100_000 + "3", "E900", "40,000"),
    "100,000 sums": (INPUT + "conv " + "+".join("1" * 100_000) + " 1x1", "E900", "40,000"),
    "10,000 else-ifs": (INPUT + "if 0 {}" + " else if 0 {}" * 10_000, "E900", "40,000"),
    "60,000 branches": (INPUT + "add {" + "|" * 60_000 + "}", "E900", "40,000"),
    "40,000 statements": (INPUT + "relu\n" * 40_000, "E900", "40,000"),
    "15,000 statements": (INPUT + "relu\n" * 15_000, "E903", "10,000"),
    "19,000 mistakes": (INPUT + "cnov\n" * 19_000, "E101", "cnov"),
    "200,000 bad characters": (INPUT + "?" * 200_000, "E900", "40,000"),
    "repeat": (INPUT + "relu *1000000000", "E903", "10,000"),
    "repeat of nothing": ("block a { }\n" + INPUT + "a *1000000000", "E903", "10,000"),
    "repeats of mistakes": (INPUT + "block a { conv 8 1x7; conv 8 k=a }\na *9999", "E903", ""),
    "repeats of nothings": ("block a { }\nblock b { a *9999 }\n" + INPUT + "b *999", "E903", ""),
    "repeats of repeats": (INPUT + "add { relu *9999 | relu *9999 } *9999", "E903", "10,000"),
    "repeats in repeats": (INPUT + "add {" * 20 + "relu *99" + "} *99" * 20, "E903", "10,000"),
    "a tower of 60 blocks": (_tower(60, 9), "E903", "10,000"),
    "a tower of 99 blocks": (_tower(99, 9), "E901", "64"),
    "a chain of 6,000 blocks": (_chain(6_000), "E901", "64"),
    "a ring of 6,000 blocks": (_ring(6_000), "E901", "64"),
    "a chain of 10,000 blocks": (_chain(10_000), "E900", "40,000"),
    "a ring of 10,000 blocks": (_ring(10_000), "E900", "40,000"),
    "100 blocks that call all below": (_all_call_all(100), "E90", ""),
    "5,000 blocks in blocks": (INPUT + "block b {" * 5_000 + "}" * 5_000, "E901", "64"),
    "a number of 5,000 digits": (INPUT + f"conv {'9' * 5_000} 3x3", "E902", "10 digits"),
    "a fraction of 5,000 digits": (INPUT + f"conv {'9' * 5_000}.5 3x3", "E902", "too large"),
    "a size of 5,000 digits": (INPUT + f"conv 8 3x{'9' * 5_000}", "E902", "10 digits"),
    "an exponent of 5,000 digits": (INPUT + f"conv 1e{'9' * 5_000} 3x3", "E902", "too large"),
    "a product of a thousand": (INPUT + "conv " + "*".join(["9999999999"] * 999), "E902", "10"),
    "squared 200 times": (
        "let a0 = 2.0\n" + "".join(f"let a{i + 1} = a{i}*a{i}\n" for i in range(200)) + INPUT,
        "E113", "too large",
    ),
    "a name of 200,000 letters": ("let " + "x" * 200_000 + " = 1", "E902", "64"),
    "filters": (INPUT + "conv 9999999999 1x1", "E905", "536,870,912"),
    "a kernel": (INPUT + "conv 8 9999999999x9999999999 pad", "E905", "536,870,912"),
    "units": (INPUT + "flatten; dense 9999999999", "E905", "536,870,912"),
    "an input": ("input 9999999999x9999999999x9999999999\nrelu", "E906", "2,147,483,647"),
    "a factor": (INPUT + "upsample 99999x99999", "E906", "2,147,483,647"),
    "a window": (INPUT + "pool 99999999 /1 pad", "E906", "2,147,483,647"),
    "padding": (INPUT + "zeropad 999999999", "E906", "2,147,483,647"),
    "a dilation": (INPUT + "conv 8 3x3 pad dilation=999999999", "E906", "2,147,483,647"),
    "an include of itself": ({"bomb.cnn": f'use "bomb.cnn"\n{INPUT}relu'}, "E403", "circle"),
    "a circle of includes": (_includes(4, "f0.cnn"), "E403", "circle"),
    "includes 20 deep": (_includes(20, "end.cnn"), "E904", "deeper than 8"),
}  # fmt: skip


def write(folder: Path, bomb: str | Files) -> Path:
    files = {"bomb.cnn": bomb} if isinstance(bomb, str) else bomb
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder / "bomb.cnn"


# Half a second of an idle core of 2021. A busy one takes longer for as many calls.
CALLS = 2_400_000


def calls(path: Path) -> int:
    return int(json.loads(run([sys.executable, ONCE, str(path), "calls"]).out)["calls"])


def check(path: Path) -> tuple[Ended, float, list[list[str]]]:
    ended = run([sys.executable, ONCE, str(path)])
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    return ended, said["seconds"], said["found"]


def test_bombs_do_not_go_off(tmp_path: Path, figure: Figure) -> None:
    slowest, largest, wrong = ("", 0.0), ("", 0.0), list[str]()
    chosen = list(BOMBS.items())[:: count(6, 1)]
    for name, (bomb, code, message) in chosen:
        path = write(tmp_path, bomb)
        ended, seconds, found = check(path)
        slowest = max(slowest, (name, seconds), key=lambda pair: pair[1])
        largest = max(largest, (name, ended.peak), key=lambda pair: pair[1])
        if not any(c.startswith(code) and message in m for c, m in found):
            wrong.append(f"{name}: {found[:2]}")
        is_slow = seconds > 0.5 and (seconds > 1 or calls(path) > CALLS)
        if is_slow or ended.peak > 100:
            wrong.append(f"{name}: {seconds:.2f} s, {ended.peak:.0f} MB")
    figure(
        f"bombs: {len(chosen)}, slowest {slowest[1]:.2f} s of the processor without "
        f"the interpreter's start ({slowest[0]}), peak {largest[1]:.0f} MB ({largest[0]})"
    )
    assert not wrong, "\n".join(wrong)
