"""Formats of data are found by themselves: a file in `cnndsl/data/formats/` is enough."""

from pathlib import Path
from pkgutil import iter_modules

import pytest

from cnndsl.data import formats
from cnndsl.data.formats.base import registry
from cnndsl.data.registry import open_dataset
from cnndsl.source import UserError

MODULES = [module.name for module in iter_modules(formats.__path__) if module.name != "base"]


@pytest.mark.parametrize("module", MODULES)
def test_every_file_holds_a_format(module: str) -> None:
    found = {type(each).__module__.rpartition(".")[2] for each in formats.formats()}
    assert module in found


def test_no_two_formats_open_the_same_name() -> None:
    for name in formats.names():
        assert [each.name for each in formats.formats() if each.opens(Path(name))] == [name]


def test_a_format_that_is_dropped_in_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the package, and nothing else."""
    (tmp_path / "halves.py").write_text(
        "from functools import partial\n"
        "import numpy as np\n"
        "from cnndsl.data.dataset import Parts, Split\n"
        "from cnndsl.data.formats.base import Format\n\n\n"
        "class Halves(Format):\n"
        "    shown = 'a .halves file'\n\n"
        "    def opens(self, path):\n"
        "        return path.suffix == '.halves'\n\n"
        "    def load(self, request):\n"
        "        x, y = np.zeros((10, *request.size), np.uint8), np.arange(10) % 2\n"
        "        return Parts('halves', ('a', 'b'), {'train': partial(Split, x, y)})\n"
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    formats.formats.cache_clear()
    try:
        data = open_dataset("my.halves", (3, 4, 4))
        with pytest.raises(UserError, match=r"a \.halves file"):
            open_dataset("nothing", (3, 4, 4))
    finally:
        registry.pop()
        formats.formats.cache_clear()
    assert (len(data.train), data.classes) == (8, ("a", "b"))
