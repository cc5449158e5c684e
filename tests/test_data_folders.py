"""Folders of images: which are splits under whatever names, which classes; read once."""

from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

from cnndsl.data import decoding
from cnndsl.data.dataset import Dataset
from cnndsl.data.registry import open_dataset
from cnndsl.data.splits import for_measuring
from cnndsl.source import UserError

Image = pytest.importorskip("PIL.Image")

SIZE = (3, 4, 4)


def fill(top: Path, *names: str, count: int = 2) -> Path:
    """A folder for each class, with images of their own gray."""
    for label, name in enumerate(names):
        (top / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            with Image.new("L", (4, 4), 40 * label + i) as image:
                image.save(top / name / f"{i}.png")
    return top


def opened(path: Path) -> Dataset:
    return open_dataset(str(path), SIZE)


SPLITS = [
    ("training_set", "test_set"), ("seg_train", "seg_test"), ("train", "dev"), ("Train", "Test"),
    ("train2017", "val2017"), ("trainset", "testset"), ("train_images", "test_images"),
    ("data-training", "data-eval"), ("trn", "tst"), ("TrainData", "Holdout"),
    ("trainval", "test2007"), ("training", "validation"),
]  # fmt: skip


@pytest.mark.parametrize(("train", "held"), SPLITS)
def test_splits_are_known_by_their_names(tmp_path: Path, train: str, held: str) -> None:
    fill(tmp_path / train, "cat", "dog", count=3)
    fill(tmp_path / held, "cat", "dog", count=1)
    data = opened(tmp_path)
    assert (data.classes, len(data.train), len(data.test)) == (("cat", "dog"), 6, 2)


def test_a_folder_in_a_folder_of_its_name(tmp_path: Path) -> None:
    """As archives of Kaggle unpack; images without a class are told and left out."""
    fill(tmp_path / "archive" / "seg_train" / "seg_train", "sea", "wood", count=3)
    fill(tmp_path / "archive" / "seg_test" / "seg_test", "sea", "wood", count=1)
    fill(tmp_path / "archive" / "seg_pred", "seg_pred")
    data = opened(tmp_path)
    assert (data.classes, len(data.train), len(data.test)) == (("sea", "wood"), 6, 2)


UNKNOWN = [("a", "b"), ("fold1", "fold2"), ("2019", "2020"), ("train", "rest"), ("north", "test")]


@pytest.mark.parametrize("names", UNKNOWN)
def test_splits_under_other_names_are_an_error(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        fill(tmp_path / name, "cat", "dog")
    with pytest.raises(UserError, match=r"hold the same folders, cat, dog.*\n.*rename them to"):
        opened(tmp_path)


def test_two_folders_for_one_part_are_an_error(tmp_path: Path) -> None:
    for name in ("train2014", "train2017", "val2017"):
        fill(tmp_path / name, "cat", "dog")
    with pytest.raises(UserError, match="`train2014` and `train2017` are both for `train`"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "names", [("train", "bus"), ("test_tube", "beaker"), ("freight_train", "passenger_train")]
)
def test_classes_may_be_called_like_splits(tmp_path: Path, names: tuple[str, str]) -> None:
    assert opened(fill(tmp_path, *names)).classes == tuple(sorted(names))


def test_folders_in_classes_are_no_classes(tmp_path: Path) -> None:
    """They differ, or are one in each, or stand beside images, or the split above is named."""
    fill(tmp_path / "years" / "cat", "2020", "2021")
    fill(tmp_path / "years" / "dog", "2022")
    fill(tmp_path / "one" / "cat", "images")
    fill(tmp_path / "one" / "dog", "images")
    fill(tmp_path / "named" / "train" / "cat", "inside", "outside")
    fill(tmp_path / "named" / "train" / "dog", "inside", "outside")
    for name in ("years", "one", "named"):
        assert opened(tmp_path / name).classes == ("cat", "dog")


def test_a_split_beside_a_class_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "train", "steam", "diesel")
    fill(tmp_path, "bus")
    with pytest.raises(UserError, match=r"train: is this a split or a class\? .*`bus`\n"):
        opened(tmp_path)


def test_other_folders_beside_splits_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train", "test", "extra"):
        fill(tmp_path / name, "cat", "dog")
    (tmp_path / "docs").mkdir()
    assert len(opened(tmp_path).train) == 4
    assert "left out: docs, extra of" in capsys.readouterr().err


def test_a_lone_test_folder_is_measured_and_not_trained_on(tmp_path: Path) -> None:
    fill(tmp_path / "test", "cat", "dog")
    data = open_dataset(str(tmp_path), SIZE, arranged=for_measuring)
    assert (data.classes, len(data.test)) == (("cat", "dog"), 4)
    with pytest.raises(UserError, match="has only images for the test"):
        opened(tmp_path)


def test_a_lone_class_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    fill(tmp_path, "cat")
    assert len(open_dataset(str(tmp_path), SIZE, arranged=for_measuring).test) == 2
    with pytest.raises(UserError, match=r"`cat` alone leaves nothing to tell apart\n.*`other`"):
        opened(tmp_path)


def test_a_name_is_one_class_in_both_forms_of_unicode(tmp_path: Path) -> None:
    one, two = (normalize(form, "café") for form in ("NFC", "NFD"))
    fill(tmp_path / "train", one, "thé")
    fill(tmp_path / "train", two, count=3)
    fill(tmp_path / "test", two, normalize("NFD", "thé"))
    data = opened(tmp_path)
    assert data.classes == (one, "thé")
    assert np.bincount(data.train.y).tolist() == [5, 2]
    assert np.bincount(data.test.y).tolist() == [2, 2]


def test_every_class_has_an_image_to_be_measured_on(tmp_path: Path) -> None:
    fill(tmp_path, "cat", "dog", count=10)
    fill(tmp_path, "eel", "fox", count=2)
    (tmp_path / "fox" / "1.png").unlink()
    assert np.bincount(opened(tmp_path).test.y, minlength=4).tolist() == [2, 2, 1, 0]


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of ten images, a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return fill(tmp_path / "data", "cat", "dog", count=5)


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded from now on."""
    files = list[Path]()
    decode = decoding.decode

    def noted(path: Path, *size: int) -> np.ndarray:
        files.append(path)
        return decode(path, *size)

    monkeypatch.setattr(decoding, "decode", noted)
    return files


def test_images_are_decoded_once(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again only where a file or the size is another one."""
    files = count_decoded(monkeypatch)
    first = opened(cached)
    assert len(files) == 10
    assert np.array_equal(opened(cached).train.x, first.train.x)
    assert len(files) == 10
    with Image.new("L", (4, 4), 255) as image:
        image.save(cached / "cat" / "0.png")
    assert opened(cached).train.x[0].min() == 255
    assert files[10:] == [cached / "cat" / "0.png"]
    open_dataset(str(cached), (3, 5, 5))
    assert len(files) == 21


def test_the_cache_is_bounded_and_may_be_broken(
    cached: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = count_decoded(monkeypatch)
    first = opened(cached)
    (database,) = (tmp_path / "cache" / "cnndsl").glob("images*.sqlite")
    database.write_bytes(b"rubbish" * 1000)
    assert np.array_equal(opened(cached).train.x, first.train.x)
    monkeypatch.setenv("CNNDSL_IMAGE_CACHE", "0")
    opened(cached)
    assert len(files) == 30


def test_how_far_the_reading_is_is_told(
    cached: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cnndsl.data import progress

    monkeypatch.setattr(progress, "_SECONDS", -1)
    opened(cached)
    assert "reading data: 3 of 10\n" in capsys.readouterr().err
    open_dataset(str(cached), SIZE, reading=decoding.Reading(display="none"))
    assert not capsys.readouterr().err


def test_what_systems_leave_behind_is_no_class(tmp_path: Path) -> None:
    fill(tmp_path, "cat", "dog", "__MACOSX", "@eaDir", count=3)
    (tmp_path / "cat" / "Thumbs.db").write_bytes(b"")
    assert opened(tmp_path).classes == ("cat", "dog")


def test_a_link_that_leads_up_brings_no_other_class(tmp_path: Path) -> None:
    fill(tmp_path, "cat", "dog", count=5)
    (tmp_path / "cat" / "all").symlink_to("..")
    assert np.bincount(opened(tmp_path).train.y).tolist() == [4, 4]


def test_images_beside_the_classes_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, "cat", "dog")
    Image.new("L", (4, 4)).save(tmp_path / "loose.png")
    opened(tmp_path)
    assert "1 image beside the folders of classes" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"sort 2 images into them, or write a \.csv table"):
        opened(tmp_path / "cat")


@pytest.mark.parametrize(
    ("name", "message"),
    [("set.zip", "is not a data set\n  unpack it"), ("set.txt", "is not a data set\n  data are")],
)
def test_a_file_that_is_no_data_set_is_told(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=message):
        opened(tmp_path / name)
