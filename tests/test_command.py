"""The command line among other programs: pipes, devices, links, configuration, several files."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image
from safetensors.numpy import save, save_file

import cnndsl
from cnndsl.cli import main
from cnndsl.resources import folder

SPEC = "input 3x8x8\nconv 4 3x3 same relu relu; gap; dense 3\n"
GOOD = SPEC.replace("relu relu", "relu")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.cnn").write_text(SPEC)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """A line of bash, where `cnndsl` is this one."""
    line = f'cnndsl() {{ "{sys.executable}" -m cnndsl "$@"; }}; set -o pipefail; {command}'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)


# Where files go


def test_a_link_stays_and_what_it_names_is_written() -> None:
    Path("store").mkdir()
    Path("latest.onnx").symlink_to("store/x.onnx")
    assert run("compile", "a.cnn", "-o", "latest.onnx") == 0
    assert Path("latest.onnx").is_symlink()
    assert onnx.load("store/x.onnx").graph.name == "a"


def test_a_pipe_stays_a_pipe() -> None:
    os.mkfifo("pipe")
    read = shell("cat pipe > got & cnndsl compile a.cnn -o pipe && wait && wc -c < got")
    assert int(read.stdout) > 1000, read.stderr
    assert Path("pipe").is_fifo()


def test_files_have_the_rights_that_the_user_gives() -> None:
    assert shell("umask 077; cnndsl compile a.cnn -o m.onnx").returncode == 0
    assert Path("m.onnx").stat().st_mode & 0o777 == 0o600


def test_a_reader_that_had_enough_is_no_error() -> None:
    assert shell("cnndsl layers | true").returncode == 0
    assert shell("cnndsl check a.cnn >&-").returncode == 0


def test_the_parts_of_a_split_step_keep_the_whole_name() -> None:
    assert run("compile", "a.cnn", "--train=split", "-o", "model.v1.2") == 0
    assert Path("model.v1.2.grad.onnx").exists()
    assert Path("model.v1.2.apply.onnx").exists()


# Several files


def test_a_bad_file_does_not_keep_others_from_being_laid_out() -> None:
    Path("sub").mkdir()
    for name in ("b.cnn", "sub/d.cnn"):
        Path(name).write_text("input   3x8x8;gap\n")
    Path("bad.cnn").write_text("conv ( 3")
    assert run("fmt", "bad.cnn", "b.cnn", "sub") == 1
    assert Path("b.cnn").read_text() == Path("sub/d.cnn").read_text() == "input 3x8x8; gap\n"
    Path("bad.cnn").unlink()
    assert run("check", ".") == 0
    assert run("fmt", "--expand", "--check", "b.cnn") == 2
    Path("none").mkdir()
    assert run("check", "none") == 2


def test_folders_of_runs_and_hidden_ones_are_not_the_users_specs() -> None:
    for name in ("runs/train/model.cnn", ".venv/x.cnn", "mine/b.cnn"):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text("input   3x8x8;gap\n")
    Path("runs/train/args.yaml").write_text("")
    Path("mine/folder.cnn").mkdir()
    assert run("fmt", ".") == 0
    assert Path("runs/train/model.cnn").read_text() == Path(".venv/x.cnn").read_text()
    assert Path("mine/b.cnn").read_text() == "input 3x8x8; gap\n"


# Configuration


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.cnndsl.chekc]\nx = 1", "no [tool.cnndsl.chekc]\n  did you mean `check`?"),
        ("[tool.cnndsl.check]\nstrct = true", "no `strct` in [tool.cnndsl.check]"),
        ("[tool.cnndsl]\ncheck = 3", "`check` is a table"),
        ("[tool.cnndsl.check]\nquiet = 3", "`quiet` in [tool.cnndsl.check] is true or false"),
        ("tool = 3", "`tool` is a table"),
    ],
)
def test_a_configuration_that_says_nothing_is_told(
    text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pyproject.toml").write_text(text)
    assert run("check", "a.cnn") == 2
    assert told in capsys.readouterr().err


def test_options_have_one_name_everywhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pyproject.toml").write_text('[tool.cnndsl.check]\noutput-format = "json"\n')
    assert run("check", "a.cnn") == 0
    assert json.loads(capsys.readouterr().out)[0]["code"] == "W303"
    Path("pyproject.toml").write_text("[tool.cnndsl.fmt]\ncheck = true\n")
    Path("a.cnn").write_text("input   3x8x8; gap\n")
    assert run("fmt", "a.cnn") == 1
    Path("pyproject.toml").unlink()
    monkeypatch.setenv("CNNDSL_FMT_CHECK", "1")
    assert run("fmt", "a.cnn") == 1
    assert Path("a.cnn").read_text() == "input   3x8x8; gap\n"
    monkeypatch.setenv("CNNDSL_SUMMARY_JSON", "1")
    Path("a.cnn").write_text(GOOD)
    capsys.readouterr()
    assert run("summary", "a.cnn") == 0
    assert json.loads(capsys.readouterr().out)["params"]["total"] == 127


# What is given


@pytest.mark.parametrize(
    "options",
    [
        ("--uint8", "--std", "nan"), ("--uint8", "--std=-1"), ("--mean", "1e400"),
        ("--uint8", "--mean", "0.1,0.2"), ("--train=step", "--std", "0"), ("--seed", "-1"),
        ("--classes", "a,b"), ("--train=step", "--conv", "foo"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_graph_are_refused(options: tuple[str, ...]) -> None:
    Path("plain.cnn").write_text("input 3x8x8; gap; dense 3\n")
    assert run("compile", "plain.cnn", "-o", "m.onnx", *options) == 2
    assert not Path("m.onnx").exists()


def test_a_negative_variance_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bn.cnn").write_text("input 3x8x8; conv 4 3x3 bn; gap; dense 3\n")
    tensors = cnndsl.load("bn.cnn").initial_weights()
    save_file(tensors | {"bn_1.running_var": -np.ones(4, np.float32)}, "w.safetensors")
    assert run("compile", "bn.cnn", "--weights", "w.safetensors", "-o", "m.onnx") == 2
    assert "negative, as no variance is: bn_1.running_var" in capsys.readouterr().err


def test_names_of_classes_go_into_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "a.cnn", "--classes", "cat, dog,[b]", "-o", "m.onnx") == 0
    np.save("x.npy", np.zeros((3, 8, 8), np.float32))
    assert run("run", "m.onnx", "x.npy") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("cat", "dog", "[b]"))


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_a_fixed_batch_takes_any_number_of_pictures(pictures: int) -> None:
    model = cnndsl.load("a.cnn")
    weights = model.initial_weights()
    x = np.random.default_rng(0).normal(size=(pictures, 3, 8, 8)).astype(np.float32)
    for name, batch in (("one.onnx", None), ("two.onnx", 2)):
        Path(name).write_bytes(model.to_onnx(weights, batch=batch).SerializeToString())
    found, fixed = (cnndsl.predict(name, x) for name in ("one.onnx", "two.onnx"))
    assert len(fixed) == pictures
    for a, b in zip(found, fixed, strict=True):
        assert [name for name, _ in a] == [name for name, _ in b]
        assert [p for _, p in a] == pytest.approx([p for _, p in b], rel=1e-5)


def test_an_output_may_be_called_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("f.cnn").write_text("input 3x8x8; gap; dense 3; output file\n")
    np.save("x.npy", np.full((3, 8, 8), 1.0, np.float32))
    assert run("compile", "f.cnn", "-o", "f.onnx") == 0
    capsys.readouterr()
    assert run("run", "f.onnx", "x.npy", "--raw") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == "x.npy"
    assert np.shape(found["outputs"]["file"]) == (1, 3)


def test_outputs_that_are_no_batch_are_given_whole(capsys: pytest.CaptureFixture[str]) -> None:
    x = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["N", 4])
    shapes = {"y": ["N", 4], "s": [], "c": [3, 2]}
    outs = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, d) for n, d in shapes.items()]
    table = helper.make_tensor("t", onnx.TensorProto.FLOAT, [3, 2], np.arange(6.0))
    nodes = [
        helper.make_node("Identity", ["input"], ["y"]),
        helper.make_node("ReduceSum", ["input"], ["s"], keepdims=0),
        helper.make_node("Constant", [], ["c"], value=table),
    ]
    graph = helper.make_graph(nodes, "g", [x], outs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "m.onnx")
    np.save("x.npy", np.ones((1, 4), np.float32))
    assert run("run", "m.onnx", "x.npy", "--raw") == 0
    found = json.loads(capsys.readouterr().out)["outputs"]
    assert found == {"y": [[1.0] * 4], "s": 4.0, "c": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]}


@pytest.mark.parametrize("size", [640, 19_280])
def test_any_header_of_weights_is_one(size: int) -> None:
    """Those lengths look like the first bytes of a pickle and of an archive."""
    model = cnndsl.load("a.cnn")
    data = save(model.initial_weights())
    end = 8 + int.from_bytes(data[:8], "little")
    Path("w.safetensors").write_bytes(
        size.to_bytes(8, "little") + data[8:end].ljust(size) + data[end:]
    )
    assert model.to_onnx("w.safetensors").graph.node


# Back to a spec


def test_a_spec_that_is_there_is_not_written_over() -> None:
    assert run("compile", "a.cnn", "-o", "m.onnx") == 0
    assert run("decompile", "m.onnx", "-o", "a.cnn") == 0  # it says the same
    Path("a.cnn").write_text("# mine\n" + SPEC)
    assert run("decompile", "m.onnx", "-o", "a.cnn", "--weights", "w.safetensors") == 2
    assert not Path("w.safetensors").exists()
    assert run("decompile", "m.onnx", "-o", "a.cnn", "--force") == 0
    assert Path("a.cnn").read_text() == SPEC


def test_a_training_step_carries_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "a.cnn", "--train=step", "-o", "step.onnx") == 0
    capsys.readouterr()
    assert run("decompile", "step.onnx") == 0
    assert capsys.readouterr().out == SPEC


def test_outputs_of_other_tools_keep_their_order() -> None:
    spec = "input 3x8x8; a: conv 4 1x1; gap; flatten; dense 3; output scores; from a; output maps"
    proto = cnndsl.parse(spec).to_onnx()
    del proto.metadata_props[:]
    model, weights = cnndsl.from_onnx(proto)
    assert list(model.outputs) == ["scores", "maps"]
    assert [o.name for o in model.to_onnx(weights).graph.output] == ["scores", "maps"]


def test_a_source_that_uses_files_is_read_back() -> None:
    Path("part.cnn").write_text("block part(c) { conv c 1x1 bn relu }\n")
    Path("u.cnn").write_text('use "part.cnn"\ninput 3x8x8; part 4; gap; dense 3\n')
    model = cnndsl.load("u.cnn")
    again, weights = cnndsl.from_onnx(model.to_onnx(uint8=True))
    assert again.text == model.text
    assert again.params == model.params
    assert set(weights) == set(model.ir.tensors())


# Tables


def test_a_summary_in_a_pipe_is_never_cut() -> None:
    Path("m[b]:bug:.cnn").write_text(GOOD)
    for columns in (20, 0):
        shown = shell(f"COLUMNS={columns} cnndsl summary 'm[b]:bug:.cnn'").stdout
        assert "m[b]:bug:" in shown
        assert "conv 4 3x3 same relu" in shown


@pytest.mark.parametrize("name", ["resnet8", "efficientnet_b0"])
def test_a_summary_fits_a_terminal(name: str) -> None:
    """Of 80 columns, as most have, and of 60: long names are broken, columns left out."""
    spec = folder("specs") / f"{name}.cnn"
    program = "import sys, cnndsl.cli; sys.stdout.isatty = lambda: True; cnndsl.cli.main()"
    for columns in (60, 80):
        shown = subprocess.run(
            [sys.executable, "-c", program, "summary", spec], capture_output=True, text=True,
            env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
            timeout=60,
        ).stdout  # fmt: skip
        widest = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.split("\n"))
        assert 55 < widest <= columns
        assert "conv" in shown


# In Python


def test_a_text_is_read_as_a_file_is() -> None:
    spec = "\ufeffinput 3x8x8\r\nlet text = 3\r\ngap; dense text\r\n"
    assert cnndsl.parse(spec, text=np.int64(4)).outputs == {"output": (4,)}
    assert not cnndsl.check(spec)
    with pytest.raises(TypeError, match="the text of a spec is a str"):
        cnndsl.parse(Path("a.cnn"))  # type: ignore
    with pytest.raises(cnndsl.UserError, match="is a number, true or false"):
        cnndsl.parse(spec, text=float("nan"))
    assert [d.code for d in cnndsl.check(Path("a.cnn"))] == ["W303"]


def test_a_model_is_short_to_print_and_can_be_a_key() -> None:
    model = cnndsl.load("a.cnn")
    assert repr(model) == "<cnndsl.Model a: 3x8x8 → 3, 127 parameters>"
    assert {model: 1}[model] == 1
    assert len(repr(cnndsl.check(SPEC))) < 2000


def test_weights_may_be_anything_that_numpy_takes() -> None:
    model = cnndsl.parse("input 2; dense 1")
    lists = {"dense_1.weight": [[1.0, 1.0]], "dense_1.bias": np.zeros(1)}
    proto = model.to_onnx(lists, batch=np.int64(1))  # type: ignore
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    with pytest.raises(cnndsl.UserError, match="mean"):
        model.to_onnx(mean=float("nan"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mean", "123.675"), "mean 123.675: images are in 0…1 here; of 0…255 it is mean 0.485"),
        (("--mean", "0.4,0.5,0.4", "--std", "57,58,59.5"), "it is std 0.223529,0.227451,0.233333"),
        (("--classes", "a,b,a"), "classes: 2 are called `a`"),
        (("--mean", "0.485", "--std", "0.229", "--classes", "a,b,c"), ""),
    ],
)
def test_what_can_hardly_be_meant_of_preprocessing_and_classes_is_told(
    options: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.cnn").write_text(GOOD)
    assert run("compile", str(tmp_path / "m.cnn"), "-o", str(tmp_path / "m.onnx"), *options) == 0
    err = capsys.readouterr().err
    assert (f"{said}\n" in err) if said else ("warning" not in err)


def test_python_warns_of_them_too() -> None:
    with pytest.warns(UserWarning, match="of 0…255 it is mean 0.5"):
        cnndsl.parse(GOOD).to_onnx(mean=127.5)


def test_a_file_of_blocks_is_a_part_and_no_empty_spec(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.cnn").unlink()
    Path("blocks.cnn").write_text("block cell(c) { conv c 3x3 pad relu }\nlet width = 8\n")
    Path("net.cnn").write_text('use "blocks.cnn"\ninput 3x8x8\ncell 8; gap; dense 3\n')
    assert run("check", ".") == 0
    assert "blocks.cnn: a part, with the blocks cell\n" in capsys.readouterr().out
    assert run("compile", "blocks.cnn", "-o", "a.onnx") == 1
    said = capsys.readouterr().err
    assert "a file of blocks only is a part" in said
    assert 'use "blocks.cnn"' in said


@pytest.mark.parametrize(
    ("name", "inner"),
    [("resnet18", "dense 4"), ("squeezenet1_0", "conv 4 1x1"), ("unet", "conv 4 1x1")],
)
def test_a_template_takes_other_classes_and_images(name: str, inner: str) -> None:
    assert run("init", name, "--classes", 4, "--input", "3x64x64") == 0
    text = Path(f"{name}.cnn").read_text()
    assert inner in text
    model = cnndsl.load(f"{name}.cnn")
    assert model.ir.input == (3, 64, 64)
    assert model.ir.output_shapes()["output"][0] == 4
    assert f"# parameters: {model.params:,}\n" in text


@pytest.mark.parametrize("option", [("--classes", 4), ("--input", "1x28x28")])
def test_a_template_for_other_data_names_a_folder(
    option: tuple[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("init", "cifar10", *option) == 0
    assert 'data "images" stands for your images' in capsys.readouterr().out
    before = Path("cifar10.cnn").read_text()
    assert 'data "images"' in before
    assert run("check", "--fix", "cifar10.cnn") == 0
    assert Path("cifar10.cnn").read_text() == before


def test_a_template_that_does_not_fit_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "lenet5", "--input", "3x2x2") == 2
    said = capsys.readouterr().err
    assert "--input 3x2x2: the network does not fit it: kernel 5x5" in said
    assert "nothing is written" in said
    assert ".cnn:" not in said
    assert not Path("lenet5.cnn").exists()
    assert run("init", "lenet5", "--input", "3,4") == 2
    assert "channels x height x width: 3x64x64" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("theirs", "ours"), [("fit", "train"), ("export", "compile"), ("evaluate", "eval")]
)
def test_commands_of_other_tools_name_ours(
    theirs: str, ours: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(theirs, "a.cnn") == 2
    assert f"Did you mean `{ours}`?" in capsys.readouterr().err


def test_the_manual_knows_the_words_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("layers", "batchnorm") == 2
    assert "did you mean `bn`?" in capsys.readouterr().err


# Which files


@pytest.fixture
def classifier() -> str:
    cnndsl.parse(GOOD).save("m.onnx", uint8=True)
    return "m.onnx"


def images(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(name)


@pytest.mark.parametrize(
    ("named", "count"),
    [("seen", 3), ("seen/*.png", 1), ("seen/**/*.jpg", 2), ("seen/[a].png", 1)],
)
def test_run_takes_folders_and_patterns(
    classifier: str, named: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    images("seen/a.png", "seen/deep/b.jpg", "seen/c.JPG".lower(), "seen/.hidden/d.png")
    Path("seen/notes.txt").write_text("no image")
    assert run("run", classifier, named) == 0
    assert len(capsys.readouterr().out.splitlines()) == count


def test_a_name_with_brackets_is_a_file_where_there_is_one(classifier: str) -> None:
    images("a[1].png")
    assert run("run", classifier, "a[1].png") == 0


@pytest.mark.parametrize(
    ("model", "named", "told"),
    [
        ("m.onnx", "none/*.png", "none/*.png: no file matches"),
        ("m.onnx", "empty", "empty: a folder without images"),
        ("a.cnn", "x.png", "cnndsl compile a.cnn -o a.onnx"),
        ("w.safetensors", "x.png", "cnndsl compile SPEC.cnn --weights w.safetensors"),
        ("runs/train", "x.png", "its model is runs/train/weights/best.onnx"),
        ("empty", "x.png", "empty is a folder; give a compiled model"),
    ],
)
def test_run_says_what_to_give_it(
    classifier: str, model: str, named: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    Path("runs/train/weights").mkdir(parents=True)
    Path("runs/train/weights/best.onnx").write_bytes(Path(classifier).read_bytes())
    assert run("run", model, named) == 2
    assert told in capsys.readouterr().err
