"""Colours: the lexer reads every spec as the parser does, and the editors' grammar follows it."""

import importlib
import json
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.token import Token
from strategies import nets

from cnndsl.fields import Word, flags, keys
from cnndsl.highlight.lexer import TOKENS, CnnLexer
from cnndsl.highlight.rules import REGIONS, SPEC
from cnndsl.layers import vocabulary
from cnndsl.passes.control import RESERVED, WORDS
from cnndsl.recipe import CHOSEN, PLAIN
from cnndsl.source import Source
from cnndsl.syntax import parser

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.cnn"))
EXTENSION = ROOT / "editors/vscode"
GENERATE = runpy.run_path(str(ROOT / "editors/generate.py"))
LEXER = CnnLexer()
SINGLE = {"STRIDE": TOKENS["stride"], "REPEAT": TOKENS["repeat"], "DIMS": TOKENS["size"]}


def lexed(text: str) -> list[tuple[int, Any, str]]:
    """Place, token and text of each stretch."""
    return list(LEXER.get_tokens_unprocessed(text))


def kinds(text: str) -> dict[str, Any]:
    """The token of each word; of the last one where a word stands there twice."""
    return {value: kind for _, kind, value in lexed(text) if value.strip()}


def colours(before: str, cls: type[Word], after: str = "") -> tuple[set[Any], set[Any]]:
    """The tokens of a word's flags and keys behind it; a word may be both, `pad` and `pad=1`."""
    flagged = kinds(f"{before} {' '.join(flags(cls))}{after}")
    keyed = kinds(f"{before} {' '.join(f'{key}=1' for key in keys(cls))}{after}")
    return {flagged[flag] for flag in flags(cls)}, {keyed[key] for key in keys(cls)}


def agree(text: str) -> None:
    """Every token of the parser lies in one stretch of the lexer, and both call it the same."""
    stretches = lexed(text)
    assert "".join(value for _, _, value in stretches) == text
    owner = {p: kind for start, kind, value in stretches for p in range(start, start + len(value))}
    for token in parser.tokens(Source(text)):
        found = {owner[p] for p in range(token.start_pos, token.end_pos)}
        assert len(found) == 1, token
        (kind,) = found
        assert (kind is Token.Error) == token.type.startswith("BAD"), token
        if token.type in SINGLE:
            assert kind in {SINGLE[token.type], TOKENS["stride"]}, token
        if token.type in ("OVER", "TIMES", "INTDIV", "PLUS", "MINUS", "MOD", "COMPARE"):
            assert kind is TOKENS["operator"], token


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_every_spec_is_lexed_as_it_is_parsed(path: Path):
    text = path.read_text(encoding="utf-8")
    assert Token.Error not in {kind for _, kind, _ in lexed(text)}
    agree(text)


@given(nets())
@settings(max_examples=20, deadline=None)
def test_random_nets_are_lexed_as_they_are_parsed(text: str):
    agree(text)


@given(st.text(alphabet='ab 3x/*+-=().;{}|:#"\n\té', max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_kept_whole(text: str):
    assert "".join(value for _, _, value in lexed(text)) == text


def test_every_registered_word_has_its_colour():
    for word, cls in vocabulary().items():
        expected = "keyword" if word in WORDS else "follower" if cls.post else "layer"
        assert kinds(word)[word] is TOKENS[expected]
        flagged, keyed = colours(word, cls)
        assert flagged <= {TOKENS["flag"]}
        assert keyed <= {TOKENS["key"]}


def test_every_word_of_a_recipe_has_its_colour():
    chosen = [(head, word, cls) for head, some in CHOSEN.items() for word, cls in some.items()]
    for head, word, cls in [*((w, "", cls) for w, cls in PLAIN.items()), *chosen]:
        line = f"train {{\n{head} {word}"
        assert kinds(line)[head] is TOKENS["setting"]
        assert not word or kinds(line)[word] is TOKENS["choice"]
        flagged, keyed = colours(line, cls, "\n}")
        assert flagged <= {TOKENS["flag"]}
        assert keyed <= {TOKENS["key"]}
    assert kinds("train { data cifar10 }\nstop 3")["stop"] is TOKENS["block"]


def test_every_reserved_word_stands_out():
    plain = {TOKENS["name"], TOKENS["block"]}
    assert not {kinds(f"conv 8 {word} 3x3")[word] for word in {*RESERVED, *WORDS}} & plain


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("conv 64 3x3 /2", "/2", "stride"),
        ("conv 64 3x3 /2x1", "/2x1", "stride"),
        ("conv c 3x3 /stride", "/", "stride"),
        ("conv c/2 3x3", "/", "operator"),
        ("conv (c /2) 3x3", "/", "operator"),
        ("conv (max(c, 8) /2) 3x3 *3", "*3", "repeat"),
        ("conv (c /2; relu *3", "*3", "repeat"),
        ("conv 4*c 1x1", "*", "operator"),
        ("conv 8 32x", "32x", "error"),
        ("e1: conv 8 3x3", "e1", "label"),
        ("concat { from e4 | up 512 }", "e4", "label"),
        ("concat { from e4 | up 512 }", "up", "block"),
        ("e1: double 64", "double", "block"),
        ("  basic 64", "basic", "block"),
        ("block basic(c, stride=1) {", "stride", "parameter"),
        ("let width = 32", "width", "name"),
        ("conv 8 3x3 init=he_normal", "he_normal", "choice"),
        ("pool 3 ceil", "ceil", "flag"),
        ("pool ceil(2.5)", "ceil", "function"),
        ("conv 8 3x3 pad=1", "pad", "key"),
        ("conv ch 3x3  if ch == 3", "ch", "channels"),
        ("conv 8 3x3 plain", "plain", "flag"),
        ('use "blocks.cnn"', '"blocks.cnn"', "string"),
    ],
)
def test_places(text: str, word: str, kind: str):
    assert kinds(text)[word] is TOKENS[kind]


# The editors' grammar


def regexes(tree: Any) -> Iterator[str]:
    """Every expression of a TextMate grammar."""
    if isinstance(tree, dict):
        yield from (tree[key] for key in ("match", "begin", "end") if key in tree)
    for inner in (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    ):
        yield from regexes(inner)


def test_the_grammar_is_that_of_the_rules():
    assert GENERATE["main"](["--check"]) == 0, "write it anew: python editors/generate.py"
    assert GENERATE["SCOPES"].keys() == TOKENS.keys() - {""}
    used = {kind for rules in (SPEC, *(r.rules for r in REGIONS.values())) for rule in rules
            for kind in rule.kinds}  # fmt: skip
    assert used == TOKENS.keys()


def test_drift_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = GENERATE["main"]
    stale = tmp_path / "cnn.tmLanguage.json"
    stale.write_text("{}", encoding="utf-8")
    scope = run.__globals__
    before, scope["GRAMMAR"] = scope["GRAMMAR"], stale
    try:
        assert run(["--check"]) == 1
        assert "has drifted" in capsys.readouterr().err
        assert run([]) == 0
        assert run(["--check"]) == 0
    finally:
        scope["GRAMMAR"] = before


def test_the_grammar_is_whole():
    tree = json.loads((EXTENSION / "syntaxes/cnn.tmLanguage.json").read_text(encoding="utf-8"))
    found = list(regexes(tree))
    assert len(found) > len(SPEC)
    assert all(re.compile(regex) for regex in found)
    included = set(re.findall(r'"include": "#(\w+)"', json.dumps(tree)))
    assert included == tree["repository"].keys()


def test_the_extension_names_files_that_exist():
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    (language,) = package["contributes"]["languages"]
    grammars = package["contributes"]["grammars"]
    assert language["extensions"] == [".cnn"]
    assert (EXTENSION / language["configuration"]).is_file()
    assert all((EXTENSION / grammar["path"]).is_file() for grammar in grammars)
    source = (EXTENSION / "extension.js").read_text(encoding="utf-8")
    said = {f"cnndsl.{name}" for name in re.findall(r'\.get\("([\w.]+)"', source)}
    assert said == package["contributes"]["configuration"]["properties"].keys()
    commands = {entry["command"] for entry in package["contributes"]["commands"]}
    assert commands == set(re.findall(r'registerCommand\("([\w.]+)"', source))


def test_pygments_finds_the_lexer():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["entry-points"]["pygments.lexers"]["cnn"].partition(":")
    assert getattr(importlib.import_module(module), name) is CnnLexer
    assert "cnn" in CnnLexer.aliases
    assert "*.cnn" in CnnLexer.filenames
