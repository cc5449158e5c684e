"""`use` reads plain files of the spec's own folder tree: every way out is refused."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from budget import LONG, Figure
from processes import cnndsl

from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read

SECRET = "block secret(c) { conv c 3x3 same }\n"
Prepare = Callable[[Path], object]


def _nothing(root: Path) -> None:
    """The folder as it is: `spec.cnn`, `here/good.cnn`, and outside of it `secret.cnn`."""


def _link(name: str, target: str) -> Prepare:
    return lambda root: (root / name).symlink_to(root / target)


def _listen(root: Path) -> None:
    where = os.getcwd()
    os.chdir(root)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.cnn")
    os.chdir(where)


def _unreadable(root: Path) -> None:
    (root / "shut.cnn").write_bytes(b"\xff" * 300_000)


def _loop(root: Path) -> None:
    (root / "one.cnn").symlink_to("two.cnn")
    (root / "two.cnn").symlink_to("one.cnn")


def _circle(root: Path) -> None:
    (root / "one.cnn").write_text('use "two.cnn"\n')
    (root / "two.cnn").write_text('use "one.cnn"\n')


def _inner(text: str) -> Prepare:
    return lambda root: (root / "here" / "inner.cnn").write_text(text)


# The path that is used, what lies there, and the code of the diagnostic.
WAYS: dict[str, tuple[str, Prepare, str]] = {
    "parent": ("../secret.cnn", _nothing, "E402"),
    "down and up": ("here/../../secret.cnn", _nothing, "E402"),
    "up and back": ("../project/here/good.cnn", _nothing, "E402"),
    "inside by dots": ("here/../here/good.cnn", _nothing, "E402"),
    "absolute": ("{outside}/secret.cnn", _nothing, "E402"),
    "absolute, inside": ("{root}/here/good.cnn", _nothing, "E402"),
    "system file": ("/etc/passwd", _nothing, "E402"),
    "home": ("~/secret.cnn", _nothing, "E401"),
    "variable": ("$HOME/secret.cnn", _nothing, "E401"),
    "address": ("file:///etc/passwd", _nothing, "E401"),
    "backslashes": ("..\\\\secret.cnn", _nothing, "E401"),
    "nothing": ("", _nothing, "E402"),
    "the folder": (".", _nothing, "E402"),
    "NUL": ("here/good.cnn\0", _nothing, "E402"),
    "link of a file": ("link.cnn", _link("link.cnn", "../secret.cnn"), "E402"),
    "link inside": ("link.cnn", _link("link.cnn", "here/good.cnn"), "E402"),
    "link of a folder": ("out/secret.cnn", _link("out", ".."), "E402"),
    "link of a link": ("one.cnn", _loop, "E402"),
    "link to nowhere": ("link.cnn", _link("link.cnn", "none.cnn"), "E402"),
    "link to a device": ("zero.cnn", _link("zero.cnn", "/dev/zero"), "E402"),
    "hard link": ("hard.cnn", lambda r: os.link(r / "../secret.cnn", r / "hard.cnn"), "E402"),
    "folder": ("here", _nothing, "E402"),
    "fifo": ("fifo.cnn", lambda r: os.mkfifo(r / "fifo.cnn"), "E402"),
    "socket": ("s.cnn", _listen, "E402"),
    "device": ("/dev/zero", _nothing, "E402"),
    "process": ("/proc/self/environ", _nothing, "E402"),
    "wrong case": ("HERE/good.cnn", _nothing, "E401"),
    "below a file": ("here/good.cnn/x.cnn", _nothing, "E401"),
    "long name": ("x" * 5_000, _nothing, "E401"),
    "too large": ("shut.cnn", _unreadable, "E401"),
    "circle": ("one.cnn", _circle, "E403"),
    "itself": ("spec.cnn", _nothing, "E403"),
    "out of an inner file": ("here/inner.cnn", _inner('use "../../secret.cnn"'), "E402"),
    "absolute in an inner file": ("here/inner.cnn", _inner('use "/etc/passwd"'), "E402"),
}  # fmt: skip


def refusal(folder: Path, path: str, prepare: Prepare) -> list[str]:
    """The codes of the diagnostics of a spec that uses the path."""
    root = folder / "project"
    (root / "here").mkdir(parents=True)
    (folder / "secret.cnn").write_text(SECRET)
    (root / "here" / "good.cnn").write_text(SECRET)
    prepare(root)
    named = path.format(root=root, outside=folder)
    (root / "spec.cnn").write_text(f'use "{named}"\ninput 3x8x8\nsecret 4\n')
    return codes(root / "spec.cnn")


def codes(spec: Path) -> list[str]:
    """In the long form by the command line, as a user would."""
    if not LONG:
        return [d.code for d in analyse(read(spec))[1]]
    ended = cnndsl("check", spec, "--output-format", "concise")
    assert ended.code in (0, 1), ended
    return [line.partition("error[")[2][:4] for line in ended.out.splitlines() if "[" in line]


def test_every_way_out_is_refused(tmp_path: Path, figure: Figure) -> None:
    for i, (name, (path, prepare, code)) in enumerate(WAYS.items()):
        assert code in refusal(tmp_path / str(i), path, prepare), name
    figure(f"includes: {len(WAYS)} ways out of the folder, all refused with a diagnostic")


def test_the_file_itself_can_be_used(tmp_path: Path) -> None:
    """What the refusals above do not rest on."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "good.cnn").write_text(SECRET)
    (tmp_path / "spec.cnn").write_text('use "here/good.cnn"\ninput 3x8x8\nsecret 4\n')
    assert codes(tmp_path / "spec.cnn") == []
