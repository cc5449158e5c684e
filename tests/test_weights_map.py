"""Maps of names, and the commands that show, match and convert weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import save_file
from test_weights_match import NAMES, NET, raw

import cnndsl
from cnndsl.cli import group, main
from cnndsl.source import UserError
from cnndsl.weights.base import Order
from cnndsl.weights.match import BY_MAP, BY_ORDER, drafted_map, match
from cnndsl.weights.name_map import NameMap, read_map

SPEC = "input 4x8x8; conv 4 3x3 pad; conv 4 3x3 pad; gap; flatten; dense 2"
SHAPES = {"fig": (4, 4, 3, 3), "head": (2, 4), "pear": (4, 4, 3, 3)}
TWINS = {
    f"{name}.{part}": shape
    for name, kernel in SHAPES.items()
    for part, shape in (("bias", kernel[:1]), ("weight", kernel))
}


def named(**entries: Any) -> NameMap:
    return NameMap(entries, "map.json")


def test_what_a_map_does_not_name_is_found_as_without_one() -> None:
    found = match(raw(NAMES), NET, "file", NameMap({"fc": "dense_1"}, "map.json"))
    assert found.names["dense_1.weight"] == "fc.weight"
    assert found.ways["dense_1.weight"] == BY_MAP
    assert found.ways["conv_1.weight"] == BY_ORDER


def test_a_map_settles_what_shapes_leave_open() -> None:
    model, file = cnndsl.parse(SPEC).ir, raw(TWINS, Order.NAMES)
    found = match(file, model, "file", named(pear="conv_1", fig="conv_2")).names
    assert (found["conv_1.weight"], found["conv_2.bias"]) == ("pear.weight", "fig.bias")


def test_a_star_is_the_same_text_on_both_sides() -> None:
    model = cnndsl.parse("input 4x8x8; conv 4 3x3; conv 4 3x3").ir
    shapes = {f"body.{i}.{n}": s for i in (1, 2) for n, s in (("w", (4, 4, 3, 3)), ("b", (4,)))}
    entries = {"body.*.w": "conv_*.weight", "body.*.b": "conv_*.bias"}
    found = match(raw(shapes), model, "file", NameMap(entries, "map.json")).names
    assert found["conv_2.weight"] == "body.2.w"


def test_null_leaves_out() -> None:
    more = NAMES | {"extra.weight": (7, 7), "extra.bias": (7,)}
    found = match(raw(more), NET, "file", NameMap({"extra.*": None}, "map.json"))
    assert len(found.names) == len(NET.tensors())


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"body.bm": "bn_1"}, "in the file is called `body.bm`\n  did you mean `body.bn`"),
        ({"fc": "dense_2"}, "the model has no `dense_2`\n  did you mean `dense_1`"),
        ({"fc": "conv_1"}, "`fc` is weight 10x256, bias 10, `conv_1` is weight 4x3x3x3"),
        ({"fc": "dense_1", "f*": None}, "`fc` is both `dense_1` and `null`"),
        ({"stem.1": "bn_1", "body.bn": "bn_1"}, "`bn_1.weight` is said of both"),
    ],
)
def test_a_map_that_does_not_fit(entries: dict[str, str | None], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        match(raw(NAMES), NET, "file", NameMap(entries, "map.json"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a JSON object"),
        ("[1]", "is not a JSON object"),
        ('{"a": "b", "a": "c"}', "`a` stands there twice"),
        ('{"a": 1}', "`a` has 1; give a name of the model, or null"),
        ('{"a": ["b", "c"]}', "`a` is still open: choose one of b, c"),
        ('{"a.*": "b.*.*"}', "has more `\\*` than"),
        ('{"*****": null}', "has more than 4 `\\*`"),
        ("[" * 100_000, "is not a JSON object"),
    ],
)
def test_a_file_that_is_no_map(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(UserError, match=problem):
        read_map(tmp_path / "map.json")


def test_a_draft_is_what_was_found() -> None:
    entries = drafted_map(raw(NAMES), NET, "file")
    assert entries["stem.0"] == "conv_1"
    assert match(raw(NAMES), NET, "file", NameMap(entries, "map.json")).how == BY_MAP


def test_a_draft_lists_what_is_open() -> None:
    entries = drafted_map(raw(TWINS, Order.NAMES), cnndsl.parse(SPEC).ir, "file")
    assert entries == {
        "fig": ["conv_1", "conv_2"], "head": "dense_1", "pear": ["conv_1", "conv_2"],
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.cnn").write_text(SPEC)
    save_file({n: np.full(s, 0.5, np.float32) for n, s in TWINS.items()}, "w.safetensors")
    return tmp_path


def called(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["weights", *arguments])


def test_show_lists_tensors_with_their_statistics(folder: Path) -> None:
    assert (
        "fig.weight   4x4x3x3  float32   0.5    0  0.5  0.5"
        in called("show", "w.safetensors").stdout
    )
    found = json.loads(called("show", "w.safetensors", "--json").stdout)
    assert (found["schema_version"], found["ordered"]) == (1, False)
    assert {"name": "head.bias", "shape": [2], "type": "float32"}.items() <= found["tensors"][
        2
    ].items()


def test_match_and_convert_by_a_draft_that_was_chosen_from(folder: Path) -> None:
    assert isinstance(called("match", "w.safetensors", "net.cnn").exception, UserError)
    drafted = called("match", "w.safetensors", "net.cnn", "--write-map", "map.json")
    assert "map.json: 3 modules, 2 to choose by hand" in drafted.stderr
    entries = json.loads((folder / "map.json").read_text()) | {"fig": "conv_2", "pear": "conv_1"}
    (folder / "map.json").write_text(json.dumps(entries))
    shown = called("match", "w.safetensors", "net.cnn", "--map", "map.json")
    assert "pear.weight  4x4x3x3  conv_1.weight   4x4x3x3  by the map" in shown.stdout
    done = called("convert", "w.safetensors", "net.cnn", "--map", "map.json", "-o", "o.safetensors")
    assert done.exit_code == 0
    assert called("match", "o.safetensors", "net.cnn").stdout.count("by name") == 6


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["show", "nosuch.pth"], "nosuch.pth: No such file"),
        (["show", "net.cnn"], "net.cnn is not a weights file"),
        (["convert", "w.safetensors", "net.cnn", "-o", "o.onnx"], "is written as .safetensors"),
        (["convert", "w.safetensors", "net.cnn", "-o", "w.safetensors"], "is used by this command"),
        (["match", "w.safetensors", "net.cnn", "--write-map", "net.cnn"], "is used by this"),
    ],
)
def test_mistakes(folder: Path, capsys, arguments: list[str], problem: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["weights", *arguments])
    assert problem in capsys.readouterr().err
