"""Broken specs: those of `specs/` with their tokens or bytes changed, and whole ones by grammar."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

SPECS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "specs").glob("*.cnn"))]
_TOKEN = re.compile(r"\s+|#[^\n]*|\"[^\"\n]*\"|[A-Za-z_]\w*|[\d.]\w*(?:[+-]\d+)?|==|!=|<=|>=|//|.")
_STRANGE_WORDS = """0 -1 1e400 0.5 99999999999 0x0 3x3x3x3 1x99999999 *0 *-1 *100000 /0 /0x1
ch ch//0 ch%0 1/0 ( ) { } | {} {|} " "../x" é if else not min( round8() plain = ; default use from
output same=1 k= true 1e-3 _ x2 [ ] ' ` ~ @ $ && || ! ? -> :"""
_STRANGE = (
    *_STRANGE_WORDS.split(), "\0", "\u202e", "\u2028", "if true", "let x = x", "block a { a }",
    "input 3x3x3", "train {", "\n", "# ", "cnn 2", "x" * 70, "1" * 30,
)  # fmt: skip
_BYTES = (
    b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\xe2\x80\xa8", b"\xe2\x80\xae",
    b"9", b"\xf0\x9f\x92\xa9", b"\x1b[31m", b"{", b"}", b"(", b'"', b"#", b"\n", b" ",
)  # fmt: skip


def by_tokens(rng: Random) -> str:
    """A spec with a few tokens or lines gone, doubled, swapped, or taken from another one."""
    tokens = _TOKEN.findall(rng.choice(SPECS).decode())
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        _change(tokens, rng)
    return "".join(tokens)


def _change(tokens: list[str], rng: Random) -> None:
    if not tokens:
        return
    at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    match rng.randrange(7):
        case 0:
            del tokens[at]
        case 1:
            tokens.insert(at, tokens[other])
        case 2:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case 3:
            tokens[at] = rng.choice(_STRANGE)
        case 4:
            tokens[at:at] = [" ", rng.choice(_STRANGE), " "]
        case 5:
            del tokens[at : at + rng.randrange(30)]
        case _:
            foreign = _TOKEN.findall(rng.choice(SPECS).decode())
            first = rng.randrange(len(foreign))
            tokens[at:at] = foreign[first : first + rng.randrange(1, 25)]


def by_bytes(rng: Random) -> bytes:
    """A spec with some of its bytes changed, gone or inserted, or cut off."""
    data = bytearray(rng.choice(SPECS))
    for _ in range(rng.choice((1, 2, 4, 30))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                data[at:at] = rng.choice(_BYTES)
            case 2:
                del data[at : at + rng.randrange(1, 4)]
            case 3:
                data[at:at] = data[rng.randrange(len(data) + 1) :][: rng.randrange(40)]
            case _ if rng.random() < 0.1:
                del data[at:]
            case _:
                data[at : at + 1] = bytes([data[at - 1] ^ 1 << rng.randrange(8)]) if data else b""
    return bytes(data)


def random_bytes(rng: Random) -> bytes:
    """Bytes of no meaning, with what breaks readers of text among them."""
    kind, size = rng.randrange(5), rng.choice((0, 1, 2, 17, 300, 3000))
    if kind == 0:
        return rng.randbytes(size)
    if kind == 1:
        return b"".join(rng.choices(_BYTES, k=size // 2))
    if kind == 2:
        return b"input 3x8x8\n" + rng.randbytes(size) + b"\nconv 8 3x3\r\nflatten"
    if kind == 3:
        codes = rng.choices((*range(32), 0x85, 0x200E, 0x202E, 0x2028, 0xFEFF, 0x1F4A9, 65), k=size)
        return "".join(map(chr, codes)).encode()
    line = rng.choice((b"a", b"(", b"{", b"conv ", b"9", b"\xff", b"\0"))
    return line * rng.choice((1, 100, 30_000, 2**20 // len(line))) if size == 300 else line * size


_WORDS = """conv conv pool relu bn dense flatten gap add concat input residual train default from
output same k ch a b max id data optimizer sgd upconv dwconv stride mul if_ reshape ceil"""
_SIGNS = {
    "LBRACE": "{ ", "RBRACE": " }", "_CALL": "(", "LPAR": " (", "RPAR": ")", "LET": " let ",
    "BLOCK": " block ", "USE": " use ", "IF": " if ", "_WHEN": " if ", "_ELSE": " else ",
    "OR": " or ", "AND": " and ", "NOT": " not ", "STRIDE": " /", "REPEAT": " *", "TRUE": " true ",
    "FALSE": " false ", "PLUS": " + ", "MINUS": " - ", "TIMES": " * ", "OVER": "/", "MOD": " % ",
    "INTDIV": " // ", "VBAR": " | ", "EQUAL": "=", "COLON": ": ", "COMMA": ", ",
}  # fmt: skip
_TERMINALS: dict[str, Sequence[str]] = {
    "NAME": _WORDS.split(),
    "NUMBER": ("1", "2", "3", "8", "0", "64", "0.5", "1e9", "12345678"),
    "DIMS": ("3x3", "3x8x8", "1x1", "0x2", "9x99x999", "1x2x3x4"),
    "STRING": ('""', '"a.cnn"', '"../b"', '"shapes"'),
    "KEEP": ("keep",),
    "LIMIT": (" 100k", " 50ms", " 3"),
    "COMPARE": ("==", "!=", "<", ">="),
    "_SEP": ("\n", ";"),
    **{name: (text,) for name, text in _SIGNS.items()},
}
_BROAD = ("start", "suite", "_statement", "statement", "group", "item", "block", "conditional")
_HEADS = ("", "input 3x8x8\n", "input 3x8x8\n", "input 16\n", "let a = 3; let b = 2\ninput a\n")


@cache
def _rules() -> dict[str, list[list[str]]]:
    """What each rule of the grammar can stand for, the shortest first."""
    from lark import Lark

    from cnndsl import resources

    grammar = (resources.folder("grammar") / "cnn.lark").read_text(encoding="utf-8")
    found = dict[str, list[list[str]]]()
    for rule in Lark(grammar, start="start", parser="lalr", lexer="basic").rules:
        found.setdefault(rule.origin.name, []).append([part.name for part in rule.expansion])
    found["_statement"] += 9 * [["statement"]]
    return {name: sorted(ways, key=len) for name, ways in found.items()}


def by_grammar(rng: Random) -> str:
    """A text that the grammar itself allows, whatever it means."""
    text = ""
    while not text:
        text = _grown("start", rng, rng.choice((12, 20, 30)))
    return rng.choice(_HEADS) + text


def _grown(name: str, rng: Random, depth: int) -> str:
    if name in _TERMINALS:
        space = " " if name in ("NAME", "NUMBER", "DIMS", "STRING") else ""
        return space + rng.choice(_TERMINALS[name])
    ways = _rules()[name]
    plain = depth <= 0 or (name not in _BROAD and rng.random() < 0.8)
    way = ways[0] if plain else rng.choice(ways)
    return "".join(_grown(part, rng, depth - 1) for part in way)
