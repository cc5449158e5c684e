"""Data of the user: `.npz` files and folders of pictures, good ones and bad ones."""

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnndsl.data.decoding import Reading
from cnndsl.data.registry import open_dataset
from cnndsl.source import UserError

Image = pytest.importorskip("PIL.Image")

TINY = (3, 6, 4)
STRICT = Reading(strict=True)
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (10, *TINY)).astype(np.uint8), np.arange(10) % 3


def npz(path: Path, **arrays: Any) -> str:
    np.savez(path / "set.npz", **arrays)
    return str(path / "set.npz")


def test_npz(tmp_path: Path) -> None:
    names = np.array(["a", "b", "c"])
    name = npz(tmp_path, x=X, y=Y, x_test=X[:4], y_test=Y[:4], classes=names)
    data = open_dataset(name, TINY)
    assert np.array_equal(data.train.x, X)
    assert np.array_equal(data.test.y, Y[:4])
    assert data.classes == ("a", "b", "c")


def test_npz_holds_a_picture_of_each_class_out_where_there_is_no_test(tmp_path: Path) -> None:
    data = open_dataset(npz(tmp_path, x=X, y=Y[:, None].astype(np.uint8)), TINY)
    assert np.array_equal(data.test.x, X[[7, 8, 9]])
    assert len(data.train) == 7
    assert data.classes == ("0", "1", "2")


def test_npz_with_channels_last_or_none(tmp_path: Path) -> None:
    data = open_dataset(npz(tmp_path, x=X.transpose(0, 2, 3, 1), y=Y), TINY)
    assert np.array_equal(data.test.x, X[[7, 8, 9]])
    data = open_dataset(npz(tmp_path, x=X[:, 0], y=Y), (1, 6, 4))
    assert np.array_equal(data.test.x, X[[7, 8, 9], :1])


PEOPLE = {
    "Keras": {"x_train": X, "y_train": Y[:, None], "x_test": X[:4], "y_test": Y[:4, None]},
    "MedMNIST": {
        "train_images": X.transpose(0, 2, 3, 1), "train_labels": Y[:, None].astype(np.uint8),
        "val_images": X.transpose(0, 2, 3, 1)[4:], "val_labels": Y[4:, None].astype(np.uint8),
        "test_images": X.transpose(0, 2, 3, 1)[:4], "test_labels": Y[:4, None].astype(np.uint8),
    },
    "capitals": {"X_train": X, "y_train": Y, "X_test": X[:4], "y_test": Y[:4]},
    "a word": {"images": X.astype(int), "labels": Y, "images_test": X[:4], "labels_test": Y[:4]},
}  # fmt: skip


@pytest.mark.parametrize("names", PEOPLE)
def test_arrays_by_the_names_that_people_give_them(tmp_path: Path, names: str) -> None:
    data = open_dataset(npz(tmp_path, **PEOPLE[names]), TINY)
    assert np.array_equal(data.train.x, X)
    assert np.array_equal(data.test.x, X[:4])
    assert data.test.y.tolist() == Y[:4].tolist()


@pytest.mark.parametrize(
    ("y", "names", "wanted"),
    [
        (np.array([3, 5, 8])[Y], ("3", "5", "8"), Y),
        (Y + 1, ("1", "2", "3"), Y),
        (np.array([3, 5, 8])[Y][:, None].astype(np.uint8), ("3", "5", "8"), Y),
        (np.array(["cat", "ant", "bee"])[Y], ("ant", "bee", "cat"), np.array([2, 0, 1])[Y]),
        (Y == 1, ("False", "True"), (Y == 1).astype(int)),
        (np.eye(3, dtype=bool)[Y], ("0", "1", "2"), np.eye(3, dtype=int)[Y]),
        (Y / 2, ("number",), Y / 2),
        (np.stack([Y * 9, Y], 1), ("0", "1"), np.stack([Y * 9, Y], 1)),
        (np.where(X[:, 0] > 250, 255, X[:, 0] % 3), ("0", "1", "2"),
         np.where(X[:, 0] > 250, 255, X[:, 0] % 3)),
        (X[:, :1] % 2, ("0", "1"), X[:, 0] % 2),
    ],
)  # fmt: skip
def test_targets_of_every_shape(
    tmp_path: Path, y: Any, names: tuple[str, ...], wanted: NDArray[Any]
) -> None:
    data = open_dataset(npz(tmp_path, x=X, y=y, x_test=X, y_test=y), TINY)
    assert data.names == names
    assert np.array_equal(data.train.y, wanted)


def test_channels_first_or_last_is_asked_where_both_fit(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (10, 4, 4, 4)).astype(np.uint8)
    with pytest.raises(UserError, match=r"may be N×C×H×W or N×H×W×C\n.*`layout`"):
        open_dataset(npz(tmp_path, x=x, y=Y), (4, 4, 4))
    data = open_dataset(npz(tmp_path, x=x, y=Y, layout=np.array("NHWC")), (4, 4, 4))
    assert np.array_equal(data.test.x, x.transpose(0, 3, 1, 2)[[7, 8, 9]])


def test_a_fifth_of_each_class_is_held_out_in_whatever_order_they_come(tmp_path: Path) -> None:
    """In turn, one class of five would be all of every fifth picture."""
    x, y = np.repeat(X, 5, axis=0), np.arange(50) % 5
    data = open_dataset(npz(tmp_path, x=x, y=y), TINY)
    assert np.bincount(data.train.y).tolist() == [8] * 5
    assert np.bincount(data.test.y).tolist() == [2] * 5


@pytest.mark.parametrize("size", [(2, 6, 4), (6, 4, 6), (8, 3, 4)])
def test_pictures_that_fit_the_model_are_taken_as_they_are(
    tmp_path: Path, size: tuple[int, ...]
) -> None:
    x = RNG.integers(0, 256, (10, *size)).astype(np.uint8)
    data = open_dataset(npz(tmp_path, x=x, y=Y), size)
    assert np.array_equal(data.test.x, x[[7, 8, 9]])


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "object labels": ({"x": X, "y": np.array([None] * 10, object)}, "cannot be read: Object"),
    "object pictures": ({"x": np.array([b""] * 10, object), "y": Y}, "cannot be read: Object"),
    "no labels": ({"x": X}, "holds x; it needs x and y"),
    "other names": ({"foo": X, "bar": Y}, "holds foo, bar; it needs x and y"),
    "nothing": ({}, "holds nothing; it needs x and y"),
    "one thing twice": ({"x": X, "x_train": X, "y": Y}, "`x` and `x_train` are the same"),
    "floats": ({"x": X / 255, "y": Y}, r"pictures are uint8 .*\n.*\(x \* 255\).round\(\)"),
    "16 bits": ({"x": X.astype(np.uint16) * 16, "y": Y}, "scale them to 0…255 first"),
    "vectors": ({"x": X.reshape(10, -1), "y": Y}, "pictures are uint8"),
    "one label": ({"x": X, "y": np.array(1)}, "targets are class numbers or names"),
    "labels of three axes": ({"x": X, "y": np.zeros((10, 2, 2))}, "targets are class numbers"),
    "fewer labels": ({"x": X, "y": Y[:8]}, "pictures, but"),
    "negative labels": ({"x": X, "y": Y - 1}, "has label -1, outside of"),
    "too many labels": (
        {"x": np.zeros((100_001, 1, 1, 1), np.uint8), "y": np.arange(100_001)}, "more than 100,000",
    ),
    "too few names": ({"x": X, "y": Y, "classes": np.array(["a", "b"])}, "has label 2"),
    "other names than told": (
        {"x": X, "y": np.array(["a", "c"] * 5), "classes": np.array(["a", "b"])}, "has labels c,",
    ),
    "names without end": ({"x": X, "y": Y, "classes": np.array("a")}, "classes are one name each"),
    "no pictures": ({"x": X[:0], "y": Y[:0]}, "there are no training pictures"),
    "other test size": (
        {"x": X, "y": Y, "x_test": X[:, :, :5], "y_test": Y}, "test pictures are 3x5x4",
    ),
    "a test without labels": ({"x": X, "y": Y, "x_test": X}, "has x_test alone"),
    "a test of another kind": ({"x": X, "y": Y, "x_test": X, "y_test": Y / 2}, "different kinds"),
    "a name twice": ({"x": X, "y": Y, "classes": np.array(["a", "b", "a"])}, "are called `a`"),
    "another size": ({"x": X[..., :3], "y": Y}, "the model takes 3x6x4"),
    "not a number": ({"x": X, "y": np.where(Y > 1, np.nan, Y / 2)}, "are not finite numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_npz(tmp_path: Path, name: str) -> None:
    arrays, message = BAD[name]
    with pytest.raises(UserError, match=message):
        open_dataset(npz(tmp_path, **arrays), TINY)


def test_other_arrays_are_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = np.array([b"a", b"b", b"c"])
    data = open_dataset(npz(tmp_path, x=X, y=Y, x_more=X, meta=np.array({}), classes=names), TINY)
    assert data.classes == ("a", "b", "c")
    assert "left out: x_more, meta of" in capsys.readouterr().err


def test_what_is_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    good = Path(npz(tmp_path, x=X, y=Y)).read_bytes()
    np.save(tmp_path / "one.npy", X)
    for data in (b"", b"text", good[:-30], good[:300], (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(data)
        with pytest.raises(UserError, match="cannot be read"):
            open_dataset(str(path), TINY)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00garbage")
    with pytest.raises(UserError, match="cannot be read"):
        open_dataset(str(path), TINY)
    with pytest.raises(UserError, match=r"cannot be read: .*No such file"):
        open_dataset(str(tmp_path / "none.npz"), TINY)


def draw(path: Path, colour: Any = (10, 20, 30), mode: str = "RGB", **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.new(mode, (8, 12), colour) as picture:
        picture.save(path, **how)
    return path


def folder_of(top: Path, count: int = 5) -> Path:
    for label, name in enumerate(("cat", "dog")):
        for i in range(count):
            draw(top / name / f"{i}.png", (100 * label, i, 0))
    return top


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    data = open_dataset(str(folder_of(tmp_path)), TINY)
    assert data.classes == ("cat", "dog")
    assert data.train.x.shape == (8, *TINY)
    assert data.test.y.tolist() == [0, 1]
    assert data.test.x[:, :, 0, 0].tolist() == [[0, 4, 0], [100, 4, 0]]


@pytest.mark.parametrize("held", ["test", "val", "Valid", "validation", "Testing"])
def test_train_and_test_folders(tmp_path: Path, held: str) -> None:
    folder_of(tmp_path / "train", 3)
    draw(tmp_path / held / "dog" / "deep" / "1.bmp")
    (tmp_path / held / "dog" / "notes.txt").write_text("no picture")
    data = open_dataset(str(tmp_path), TINY)
    assert (len(data.train), len(data.test)) == (6, 1)
    assert data.test.y.tolist() == [1]


def test_a_train_folder_alone_holds_back_its_fifth(tmp_path: Path) -> None:
    folder_of(tmp_path / "train")
    data = open_dataset(str(tmp_path), TINY)
    assert (data.classes, len(data.test)) == (("cat", "dog"), 2)


def test_what_is_not_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("train", "val", "test"):
        folder_of(tmp_path / part)
    draw(tmp_path / "train" / "cat" / "0.tif")
    assert len(open_dataset(str(tmp_path), TINY).test) == 10
    said = capsys.readouterr().err
    assert "val: test is what is measured on" in said
    assert "1 of .tif: save them as .png" in said
    with pytest.raises(UserError, match=r"1 of \.tif"):
        open_dataset(str(tmp_path), TINY, reading=STRICT)


def test_links_are_followed_once(tmp_path: Path) -> None:
    folder_of(tmp_path / "set")
    draw(tmp_path / "more" / "1.gif")
    (tmp_path / "set" / "cat" / "more").symlink_to(tmp_path / "more")
    (tmp_path / "more" / "again").symlink_to(tmp_path / "more")
    data = open_dataset(str(tmp_path / "set"), TINY)
    assert len(data.train) + len(data.test) == 11


def test_a_test_folder_without_classes_is_told(tmp_path: Path) -> None:
    folder_of(tmp_path / "train")
    draw(tmp_path / "test" / "1.png")
    with pytest.raises(UserError, match=r"in folders of classes .*\n.*sort them into cat, dog"):
        open_dataset(str(tmp_path), TINY)


def test_a_class_whose_name_is_no_text_is_told(tmp_path: Path) -> None:
    folder_of(tmp_path)
    os.rename(tmp_path / "cat", os.fsencode(tmp_path) + b"/caf\xe9")
    with pytest.raises(UserError, match=r"a class is called 'caf.*', which is not UTF-8"):
        open_dataset(str(tmp_path), TINY)


def test_an_odd_tag_keeps_a_picture_upright(tmp_path: Path) -> None:
    """A resolution that is a word: pillow would not write such a tag again."""
    folder_of(tmp_path)
    tag = (0x0112, 3, 1, 6), (0x011A, 2, 4, int.from_bytes(b"big\0", "little"))
    entries = b"".join(struct.pack("<HHII", *entry) for entry in tag)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tag)) + entries + struct.pack("<I", 0)
    with Image.new("RGB", (8, 4), (255, 0, 0)) as picture:
        picture.paste((0, 0, 255), (4, 0, 8, 4))
        picture.save(tmp_path / "cat" / "0.jpg", exif=exif, quality=100)
    data = open_dataset(str(tmp_path), (3, 8, 4), reading=STRICT)
    red, _, blue = data.train.x[0]
    assert red[:3].min() > 200 > 50 > blue[:3].max()
    assert blue[5:].min() > 200 > 50 > red[5:].max()


def test_folders_that_nobody_made_are_left_alone(tmp_path: Path) -> None:
    folder_of(tmp_path)
    draw(tmp_path / ".cache" / "0.png")
    draw(tmp_path / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png")
    data = open_dataset(str(tmp_path), TINY)
    assert data.classes == ("cat", "dog")
    assert len(data.train) + len(data.test) == 10


def test_a_class_without_pictures_is_a_mistake(tmp_path: Path) -> None:
    folder_of(tmp_path)
    (tmp_path / "old").mkdir()
    with pytest.raises(UserError, match="holds no pictures of old; remove an empty folder"):
        open_dataset(str(tmp_path), TINY)


def test_a_class_of_the_test_alone_is_a_mistake(tmp_path: Path) -> None:
    folder_of(tmp_path / "train")
    folder_of(tmp_path / "test")
    (tmp_path / "test" / "dog").rename(tmp_path / "test" / "hog")
    with pytest.raises(UserError, match=r"test has hog, which .*train has not"):
        open_dataset(str(tmp_path), TINY)


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (7, 500)])
def test_a_thin_picture_takes_no_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    """Scaled whole to cover the model's size it would take gigabytes."""
    folder_of(tmp_path)
    with Image.new("RGB", size, (10, 20, 30)) as picture:
        picture.save(tmp_path / "cat" / "0.png")
    data = open_dataset(str(tmp_path), (3, 224, 224), reading=STRICT)
    assert data.train.x[0, :, 100, 100].tolist() == [10, 20, 30]


def test_a_picture_is_covered_and_cut_in_the_middle(tmp_path: Path) -> None:
    folder_of(tmp_path)
    with Image.fromarray(RNG.integers(0, 256, (12, 12, 3)).astype(np.uint8)) as picture:
        picture.save(tmp_path / "cat" / "0.png")
        whole = np.asarray(picture.resize((6, 6), 2))
    data = open_dataset(str(tmp_path), (3, 6, 4), reading=STRICT)
    assert np.array_equal(data.train.x[0].transpose(1, 2, 0), whole[:, 1:5])


def test_broken_pictures_are_left_out_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(tmp_path)
    whole = draw(tmp_path / "cat" / "whole.jpg").read_bytes()
    (tmp_path / "cat" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cat" / "empty.png").write_bytes(b"")
    (tmp_path / "cat" / "text.webp").write_bytes(b"text")
    (tmp_path / "cat" / "folder.png").mkdir()
    data = open_dataset(str(tmp_path), TINY)
    assert len(data.train) + len(data.test) == 11
    said = capsys.readouterr().err
    assert [name in said for name in ("half.jpg", "empty.png", "text.webp", "folder.png")] == [
        True, True, True, False,
    ]  # fmt: skip
    with pytest.raises(UserError, match="cannot be read as a picture"):
        open_dataset(str(tmp_path), TINY, reading=STRICT)


FORMS: dict[str, tuple[str, Any, str, list[int]]] = {
    "grayscale": ("L", 90, "png", [90, 90, 90]),
    "half transparent": ("RGBA", (10, 20, 30, 128), "png", [132, 137, 142]),
    "transparent": ("RGBA", (10, 20, 30, 0), "png", [255, 255, 255]),
    "gray with alpha": ("LA", (90, 255), "png", [90, 90, 90]),
    "palette": ("P", 0, "png", [0, 0, 0]),
    "black and white": ("1", 1, "png", [255, 255, 255]),
    "CMYK": ("CMYK", (0, 0, 0, 0), "jpg", [255, 255, 255]),
    "16 bits": ("I;16", 0x8000, "png", [128, 128, 128]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_picture_becomes_colours(tmp_path: Path, form: str) -> None:
    mode, colour, ending, wanted = FORMS[form]
    folder_of(tmp_path, 1)
    for name in ("a", "b", "c", "d"):
        draw(tmp_path / "cat" / f"{name}.{ending}", colour, mode)
    data = open_dataset(str(tmp_path), TINY, reading=STRICT)
    assert np.abs(data.train.x[1:4].astype(int) - np.reshape(wanted, (3, 1, 1))).max() <= 1
    data = open_dataset(str(tmp_path), (1, 6, 4), reading=STRICT)
    assert abs(int(data.train.x[1, 0, 0, 0]) - sum(wanted) / 3) <= 2


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    folder_of(tmp_path, 5)
    with Image.new("P", (8, 12), 1) as picture:
        picture.putpalette([0, 0, 0, 200, 100, 50])
        picture.save(tmp_path / "cat" / "0.png", transparency=b"\x00\x80")
    data = open_dataset(str(tmp_path), TINY, reading=STRICT)
    assert data.train.x[0, :, 0, 0].tolist() == [227, 177, 152]


def test_exif_turns_pictures_upright(tmp_path: Path) -> None:
    folder_of(tmp_path, 5)
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half
    pixels = np.zeros((12, 8, 3), np.uint8)
    pixels[:6] = 255
    with Image.fromarray(pixels) as picture:
        picture.save(tmp_path / "cat" / "0.png", exif=exif)
    first = open_dataset(str(tmp_path), TINY, reading=STRICT).train.x[0]
    assert (first[:, :2].max(), first[:, -2:].min()) == (0, 255)


@pytest.mark.parametrize(("size", "message"), [((8,), "8 features"), ((4, 6, 4), "4 channels")])
def test_folders_need_a_model_of_pictures(
    tmp_path: Path, size: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        open_dataset(str(folder_of(tmp_path)), size)


def test_folders_without_classes_or_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "only" / "1.png")
    with pytest.raises(UserError, match="needs a folder of pictures for each class"):
        open_dataset(str(tmp_path), TINY)
    (tmp_path / "only" / "1.png").unlink()
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        open_dataset(str(tmp_path), TINY)


def test_links_to_nowhere_are_left_out(tmp_path: Path) -> None:
    folder_of(tmp_path)
    os.symlink(tmp_path / "none.png", tmp_path / "cat" / "link.png")
    data = open_dataset(str(tmp_path), TINY)
    assert len(data.train) + len(data.test) == 10
