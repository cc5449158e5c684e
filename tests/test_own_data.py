"""The page "Your own data": its files are drawn, its commands and programs run, in its order."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import PAGES, fences, lay_out, sessions
from numpy.typing import NDArray

from cnndsl.cli import main

Image = pytest.importorskip("PIL.Image")

PAGE = next(page for page in PAGES if page.name == "your-own-data.md")
SIDE, COUNT = 16, 20
Array = NDArray[np.uint8]


def drawn(i: int) -> tuple[Array, Array]:
    """A gray image with a bright bar, which is longer for a larger i, and the mask of the bar."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[4:8, : 4 + i % 8] = 1
    return (60 + 150 * mask[..., None]).repeat(3, 2).astype(np.uint8), mask


def write(path: Path, image: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def table(path: Path, head: str, cells: Sequence[str]) -> None:
    rows = [f"{path.stem}/{i}.png,{cells[i % len(cells)]}" for i in range(COUNT)]
    path.write_text("\n".join([head, *rows]))


def pets(folder: Path) -> None:
    for i in range(COUNT):
        write(folder / "pets" / ("cat", "dog")[i % 2] / f"{i}.png", drawn(i)[0])


def photos(folder: Path) -> None:
    for i in range(COUNT):
        write(folder / "photos" / f"{i}.png", drawn(i)[0])
    table(folder / "photos.csv", "file,labels", ["sun|sea", "", "sea"])


def fish(folder: Path) -> None:
    for i in range(COUNT):
        write(folder / "fish" / f"{i}.png", drawn(i)[0])
    table(folder / "fish.csv", "file,length [mm],weight [g]", ["212,180.5", "148,61"])


def cells(folder: Path) -> None:
    for i in range(COUNT):
        image, mask = drawn(i)
        write(folder / "cells/images" / f"{i}.png", image)
        write(folder / "cells/masks" / f"{i}.png", mask)
    (folder / "cells/classes.txt").write_text("background\ncell\n")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's files, in the current folder; its nets are smaller and train for two epochs."""
    lay_out(PAGE, tmp_path)
    for spec in tmp_path.glob("*.cnn"):
        text = spec.read_text().replace("64x64", "16x16")
        spec.write_text(text.replace("epochs 20", "epochs 2"))
    for draw in (pets, photos, fish, cells):
        draw(tmp_path)
    write(tmp_path / "new.jpg", drawn(3)[0])
    monkeypatch.chdir(tmp_path)


def started(command: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(command.split()[1:])
    return int(end.value.code or 0)


TASKS = {
    "pets": ("top", "accuracy"), "photos": ("labels", "map"), "fish": ("numbers", "r2"),
    "cells": ("classes", "miou"),
}  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_followed_from_its_folder_to_the_deployed_file(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = (f for f in fences(PAGE, "console") if f"--data {name}" in f.text)
    for command, shown in sessions(block.text):
        assert started(command) == 0, command
        assert bool(shown) <= capsys.readouterr().out.startswith("new.jpg: ")
    best, (key, metric) = f"runs/{name}/weights/best.onnx", TASKS[name]
    assert started(f"cnndsl run {best} new.jpg --json") == 0
    assert f'"{key}"' in capsys.readouterr().out
    data = next(word for word in block.text.split() if word in (name, f"{name}.csv"))
    assert started(f"cnndsl bench {best} --data {data} --steps 3 --json") == 0
    assert json.loads(capsys.readouterr().out)[0]["metric"] == metric
    assert Path("masks/new.mask.png").exists() == (name == "cells")


def test_programs_run() -> None:
    assert started("cnndsl train fish.cnn --data fish.csv --out runs/fish") == 0
    names: dict[str, Any] = {}
    for fence in fences(PAGE, "python"):
        text = fence.text.replace("(64, 64)", "(16, 16)").replace("epochs=20", "epochs=2")
        exec(compile(text, f"{PAGE.name}:{fence.line}", "exec"), names)
    assert names["units"] == ["mm", "g"]
    assert 100 < names["rows"][0][0] < 300  # in millimetres
    assert names["mask"].shape == (16, 16)
    assert 0 <= names["scores"].columns()["miou"] <= 1
