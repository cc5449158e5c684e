"""What a command line names: images, folders, patterns; and what is not a compiled model."""

from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path

from cnndsl.source import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".npy")


def image_files(paths: Iterable[Path]) -> list[Path]:
    """The files themselves, those of a pattern such as `test/*.png`, all images below a folder.

    UserError for a folder without images, and for a pattern that nothing matches.
    """
    return [file for path in paths for file in _files(path)]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        below = sorted(file for file in _below(path) if file.suffix.lower() in ENDINGS)
        if not below:
            raise UserError(f"{path}: a folder without images ({' '.join(ENDINGS)})")
        return below
    if path.exists() or not has_magic(str(path)):
        return [path]
    matched = sorted(Path(name) for name in glob(str(path), recursive=True))
    if not matched:
        raise UserError(f"{path}: no file matches")
    return image_files(matched)


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder))


def _is_hidden(path: Path, top: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(top).parts)


def refuse_other_kinds(model: Path) -> None:
    """UserError, with the way on, for what is named in the place of a compiled model."""
    best = model / "weights" / "best.onnx"
    if model.is_dir() and best.is_file():
        raise UserError(f"{model} is a run folder\n  its model is {best}")
    if model.is_dir():
        raise UserError(f"{model} is a folder; give a compiled model, such as model.onnx")
    if model.suffix == ".cnn":
        compiled = model.with_suffix(".onnx")
        raise UserError(
            f"{model} is a spec, no compiled model\n"
            f"  cnndsl compile {model} -o {compiled}    (--weights FILE for trained ones)"
        )
    if model.suffix in (".safetensors", ".pth", ".pt", ".keras", ".h5", ".npz"):
        raise UserError(
            f"{model} holds weights, no compiled model\n"
            f"  cnndsl compile SPEC.cnn --weights {model} -o model.onnx"
        )
