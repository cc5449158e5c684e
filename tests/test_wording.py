"""Messages speak to whoever calls: options at the command line, arguments in Python."""

from pathlib import Path

import pytest

import cnndsl
from cnndsl.source import command_line, either, option


@pytest.mark.parametrize(
    ("asked", "command", "python"),
    [
        (("batch", 32), "--batch 32", "batch=32"),
        (("data-dir",), "--data-dir", "data_dir="),
        (("force", True), "--force", "force=True"),
        (("data", "cifar10"), "--data cifar10", "data='cifar10'"),
    ],
)
def test_an_option_is_named_as_it_is_written(
    asked: tuple[object, ...], command: str, python: str
) -> None:
    assert option(*asked) == python  # type: ignore[arg-type]
    with command_line():
        assert option(*asked) == command  # type: ignore[arg-type]
    assert either("a", "b") == "b"


def test_python_hears_of_its_own_arguments() -> None:
    model = cnndsl.parse("input 3x32x32; flatten; dense 10")
    with pytest.raises(cnndsl.UserError, match="data='cifar10'"):
        cnndsl.train(model)
    with pytest.raises(cnndsl.UserError, match=r"^width: .* has no `let width`"):
        cnndsl.parse("input 3x32x32; flatten; dense 10", width=2)


def test_what_is_to_be_installed_is_named_by_its_own_package() -> None:
    """Not as an extra of ours: the name is not a package of ours on PyPI."""
    root = Path(__file__).parent.parent
    texts = [*(root / "cnndsl").rglob("*.py"), *(root / "docs").rglob("*.md"), root / "README.md"]
    assert [p.name for p in texts if "cnndsl[" in p.read_text(encoding="utf-8")] == []
