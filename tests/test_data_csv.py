"""A table of image files with their targets; bad rows are named by their lines."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnndsl.data.dataset import Dataset
from cnndsl.data.registry import open_dataset
from cnndsl.source import UserError
from cnndsl.tasks import registry
from cnndsl.training.targets import read_as

Image = pytest.importorskip("PIL.Image")

SIZE = (3, 4, 4)


@pytest.fixture(autouse=True)
def images(tmp_path: Path) -> None:
    """Ten of them, `images/0.png` and so on."""
    (tmp_path / "images").mkdir()
    for i in range(10):
        with Image.new("L", (4, 4), i) as image:
            image.save(tmp_path / "images" / f"{i}.png")


def opened(folder: Path, text: str, encoding: str = "utf-8") -> Dataset:
    (folder / "set.csv").write_text(text, encoding=encoding)
    return open_dataset(str(folder / "set.csv"), SIZE)


def table(head: str, *cells: str, mark: str = ",") -> str:
    """A row an image; the cells are taken in turn."""
    rows = (f"images/{i}.png{mark}{cells[i % len(cells)]}\n" for i in range(10))
    return f"file{mark}{head}\n" + "".join(rows)


TARGETS: list[tuple[str, tuple[str, ...], Any, str | None]] = [
    (table("class", "cat", "dog"), ("cat", "dog"), [0, 1], None),
    (table("class", "cat", "dog", mark=";"), ("cat", "dog"), [0, 1], None),
    (table("class", '"dog, big"', "cat"), ("big", "cat", "dog"), [[1, 0, 1], [0, 1, 0]],
     "multilabel"),
    (table("labels", "sun|sea", ""), ("sea", "sun"), [[1, 1], [0, 0]], "multilabel"),
    (table("tags", "sun sea", "sun"), ("sea", "sun"), [[1, 1], [0, 1]], "multilabel"),
    (table("class", "golden retriever", "cat"), ("cat", "golden retriever"), [1, 0], None),
    (table("label", "10", "9"), ("9", "10"), [1, 0], None),
    (table("sun,sea", "1,0", "0,1"), ("sun", "sea"), [[1, 0], [0, 1]], None),
    (table("age", "1.5", "2"), ("age",), [1.5, 2.0], None),
    (table("x,y", "1,20", "3,4"), ("x", "y"), [[1, 20], [3, 4]], None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "names", "wanted", "task"), TARGETS)
def test_columns_are_targets(
    tmp_path: Path, text: str, names: tuple[str, ...], wanted: Any, task: str | None
) -> None:
    data = opened(tmp_path, text)
    assert (data.names, data.task) == (names, task)
    assert np.array_equal(data.train.y[:2], np.array(wanted))


def test_a_head_with_a_unit_is_one_of_numbers(tmp_path: Path) -> None:
    """Whole ones, too, which without a unit may be classes."""
    data = opened(tmp_path, table("age [years],height[cm],heads", "30,180,1", "40,171.5,1"))
    assert (data.names, data.task) == (("age", "height", "heads"), "regression")
    assert data.units == ("years", "cm", "")
    assert data.train.y[:2].tolist() == [[30, 180, 1], [40, 171.5, 1]]


def test_a_table_of_a_spreadsheet(tmp_path: Path) -> None:
    """With the mark that Excel writes before UTF-8, and line ends of Windows."""
    text = table("class", "café", "thé", mark=";").replace("\n", "\r\n")
    assert opened(tmp_path, text, "utf-8-sig").names == ("café", "thé")


def test_a_column_tells_the_splits(tmp_path: Path) -> None:
    data = opened(tmp_path, table("class,split", "cat,train", "dog,train", "cat,val", "dog,test"))
    assert (len(data.train), len(data.test)) == (6, 2)
    assert data.test.x[:, 0, 0, 0].tolist() == [3, 7]


def test_a_single_column_of_whole_numbers_keeps_its_name_as_an_amount(tmp_path: Path) -> None:
    data = opened(tmp_path, table("age", "31", "42"))
    assert read_as(registry["regression"](), data).names == ("age",)


BAD = [
    ("class\ncat\n", r"has columns class; it needs one called `file`"),
    ("file\nimages/0.png\n", "has no column of targets"),
    ("file,class\n", "has no rows below its heads"),
    ("file,class,class\n", "two columns are called `class`"),
    ("file,class\nimages/0.png\n", "line 2: 1 cell for 2 columns"),
    ("file,class\nimages/0.png,cat\nnone.png,dog\n", "a row is wrong\n  line 3: there is no file"),
    ("file,class\n\nimages/0.png,cat\n,dog\n", "line 4: names no file"),
    ("file,class\nimages/0.png,cat\nimages/1.png,\n", "line 3: `class` is empty"),
    ('file,a,b\nimages/0.png,"1\n",2\nimages/1.png,x,1\n', "line 4: `a` is `x`, and no finite"),
    (table("age", "1.5", "nan"), "5 of 10 rows are wrong\n  line 3: `age` is `nan`"),
    (table("label", "1", "1", "one"), "line 4: `label` is `one`"),
    (
        table("size", "1,5", "2", mark=";"),
        "`size` is `1,5`: a number with a comma, or two labels\n.*1.5",
    ),
    (table("size [m]", "1,5", "2", mark=";"), "`1,5`, and no finite number: write it with a point"),
    (table("class,split", "a,train", "b,later"), "`later` is neither train, val nor test"),
    (
        'file,class\nimages/0.png,cat\nimages/1.png,"dog\n',
        "line 3 is not a row .*\n  is a quote left",
    ),
    ('file,class\nimages/0.png,"dog' + "g" * 200_000, "line 2 is not a row .*\n  is a quote left"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        opened(tmp_path, text)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    rows = ["none.png,1,train", "images/0.png", "images/1.png,nan,train", "images/2.png,2,later"]
    good = ["images/3.png,2.5,train"] * 9
    told = (
        r"4 of 13 rows are wrong\n  line 2: there is no file .*\n  line 3: 1 cell for 3 columns"
        r"\n  line 4: `age` is `nan`, .*\n  line 5: `later` is neither"
    )
    with pytest.raises(UserError, match=told):
        opened(tmp_path, "\n".join(["file,age,split", *rows, *good]))


def test_text_of_another_encoding_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="save it as UTF-8"):
        opened(tmp_path, table("class", "café", "thé"), "latin-1")


def test_ten_bad_rows_of_many_are_found_at_once(tmp_path: Path) -> None:
    rows = [f"images/{i % 10}.png,{i % 7}" for i in range(100_000)]
    rows[500::10_000] = ["images/none.png,1"] * 10
    start = time.perf_counter()
    with pytest.raises(UserError, match=r"10 of 100,000 rows are wrong\n  line 502: "):
        opened(tmp_path, "file,class\n" + "\n".join(rows))
    assert time.perf_counter() - start < 10
