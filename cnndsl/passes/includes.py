"""`use "blocks.cnn"`: files from inside the spec's own folder tree, nothing else."""

import os
import stat
from pathlib import Path

from cnndsl import limits
from cnndsl.files import refuse_run_folder
from cnndsl.passes.reporter import SpecError
from cnndsl.source import Source, UserError, either
from cnndsl.syntax import ast

_MODEL = "a compiled model"
_OTHERS = {
    ".onnx": _MODEL,
    **dict.fromkeys((".safetensors", ".pth", ".pt", ".h5"), "a file of weights"),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), "an image"),
}


def read(path: Path, name: str | None = None) -> Source:
    """A spec from a file; UserError where it cannot be read, and for a file of another kind."""
    kind = _OTHERS.get(path.suffix.lower())
    if kind and path.is_file():
        told = f"{path} is {kind}, and no spec"
        way = f"decompile {path} -o {path.stem}.cnn"
        call = either(f"cnndsl {way}", f"cnndsl.from_onnx({str(path)!r})")
        raise UserError(f"{told}\n  {call} reads one of it" if kind == _MODEL else told)
    refuse_run_folder(path, "model.cnn")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    if len(data) > limits.SPEC_BYTES:
        kib = limits.SPEC_BYTES // 1024
        raise UserError(f"{path}: {len(data):,} bytes; a spec has at most {kib} KiB")
    return Source(decode(data), name or str(path), path)


def decode(data: bytes) -> str:
    """UTF-8, with or without a mark; bytes that are not become U+FFFD and are reported there."""
    return normal(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace"))


def says(path: Path, text: str) -> bool:
    """Whether there is a file of this text; how lines end does not matter."""
    return path.is_file() and decode(path.read_bytes()) == normal(text)


def normal(text: str) -> str:
    """The text with every line end as `\\n`."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def locate(use: ast.Use, source: Source, root: Path | None) -> Path:
    """The file that a `use` names; SpecError where it is none of ours."""
    wanted = use.path.value
    if source.path is None or root is None:
        raise _refused(use, "a text without a file has no folder to include from", None)
    relative = Path(wanted)
    if relative.is_absolute() or not wanted or "\0" in wanted:
        hint = "write it as it is seen from the spec's folder"
        raise _refused(use, f"`{wanted}` is not a path inside the spec's folder", hint)
    path = source.path.parent / relative
    _check_inside(use, path, root)
    try:
        mode = path.lstat().st_mode
    except OSError:
        message = f"there is no file `{wanted}` beside `{source.path.name}`"
        raise SpecError("E401", message, use.path.span) from None
    if not stat.S_ISREG(mode) or path.stat().st_nlink > 1:
        raise _refused(use, f"`{wanted}` is not a plain file of its own", None)
    return path


def _check_inside(use: ast.Use, path: Path, root: Path) -> None:
    """No way out: not by `..`, not by links of any component below the root."""
    lexical = Path(*_normal(path.absolute().parts))
    top = Path(*_normal(root.absolute().parts))
    if not lexical.is_relative_to(top) or ".." in Path(use.path.value).parts:
        raise _refused(use, f"`{use.path.value}` leaves the spec's folder", "copy the file into it")
    step = top
    for part in lexical.relative_to(top).parts:
        step = step / part
        if os.path.islink(step):  # Path.is_symlink raises for names too long
            raise _refused(use, f"`{use.path.value}` goes through a link", "copy the file instead")


def _normal(parts: tuple[str, ...]) -> list[str]:
    kept = list[str]()
    for part in parts:
        if part == "..":
            kept.pop()
        else:
            kept.append(part)
    return kept


def _refused(use: ast.Use, message: str, hint: str | None) -> SpecError:
    return SpecError("E402", message, use.path.span, hint)
