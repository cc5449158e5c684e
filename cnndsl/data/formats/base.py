"""What a format of data is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from platformdirs import user_cache_path

from cnndsl.data.dataset import Parts
from cnndsl.data.decoding import USUAL, Files, ImageDecoder, Reading, decoded
from cnndsl.source import UserError

registry = list[type["Format"]]()


@dataclass(frozen=True)
class Request:
    """What is asked of a format: data by their name or path, for a model's input.

    `size` is channels, height and width. `folder` is where the files of a data set with a name are.
    """

    path: Path
    size: tuple[int, ...]
    folder: Path | None = None
    reading: Reading = USUAL


class Format:
    """A way to keep data. A subclass in a file of this package is found by itself.

    `class Mnist(Format, name="mnist")` is opened by its name, other formats by what they find at a
    path: `shown` says in few words what that is, for help and errors. `is_last_resort` marks one
    that opens what no other does.
    """

    name: ClassVar[str] = ""
    shown: ClassVar[str] = ""
    is_last_resort: ClassVar[bool] = False

    def __init_subclass__(cls, name: str = "") -> None:
        super().__init_subclass__()
        cls.name = name
        cls.shown = cls.shown or name
        registry.append(cls)

    def opens(self, path: Path) -> bool:
        """Whether what was named is of this format; looks at no contents beyond a header."""
        return bool(self.name) and str(path) == self.name

    def load(self, request: Request) -> Parts:
        """The data as they are kept, at the model's size; UserError where they cannot be read."""
        raise NotImplementedError(type(self).__name__)


def check_image_size(request: Request) -> None:
    """UserError for a model whose input no image file has."""
    size = request.size
    if len(size) != 3 or size[0] not in (1, 3):
        takes = f"{size[0]} {'features' if len(size) == 1 else 'channels'}"
        raise UserError(
            f"{request.path}: pictures have 1 or 3 channels, but the model takes {takes}"
        )


def decoded_images(files: Sequence[Path], what: str, request: Request) -> Files:
    """Image files at the model's size; see `decoded`."""
    decoder = ImageDecoder(request.size, request.reading.info)
    return decoded(files, decoder, what, request.reading)


def cache_folder() -> Path:
    """The user's folder for downloads, made where it is missing."""
    return user_cache_path("cnndsl", ensure_exists=True)
