"""From `--data NAME` to a data set."""

from pathlib import Path

from cnndsl.data import cifar10, folders, mnist, npz, synthetic
from cnndsl.data.dataset import Dataset
from cnndsl.fields import nearest
from cnndsl.source import UserError

NAMES = ("cifar10", "mnist", "shapes")


def located(name: str) -> str:
    """The name of a data set as it is, a path as a whole path."""
    return name if name in NAMES or not Path(name).exists() else str(Path(name).resolve())


def open_dataset(
    name: str, size: tuple[int, ...], folder: Path | None = None, strict: bool = False
) -> Dataset:
    """A known data set by name, an `.npz` file or a folder, with pictures of the model's size."""
    dataset = _open(name, size, folder, strict)
    if dataset.train.x.shape[1:] != size:
        have = "x".join(map(str, dataset.train.x.shape[1:]))
        want = "x".join(map(str, size))
        raise UserError(f"{dataset.name} has pictures of {have}, the model takes {want}\n"
                        f"  write `input {have}` in the spec")  # fmt: skip
    return dataset


def _open(name: str, size: tuple[int, ...], folder: Path | None, strict: bool) -> Dataset:
    if name in ("cifar10", "mnist"):
        from platformdirs import user_cache_path

        cache = user_cache_path("cnndsl", ensure_exists=True)
        return (cifar10 if name == "cifar10" else mnist).load(folder, cache)
    if name == "shapes":
        return synthetic.load()
    path = Path(name)
    if path.suffix == ".npz":
        return npz.load_npz(path, size)
    if path.is_dir():
        return folders.load_folder(path, size, strict)
    close = nearest(name, set(NAMES))
    if path.name != name:
        raise UserError(f"there is no folder `{name}` in {Path.cwd()}")
    hint = f"did you mean `{close}`?" if close else f"{', '.join(NAMES)}, a folder or an .npz file"
    raise UserError(f"there is no data set `{name}`: {hint}")
