"""Helpers of the tests in a browser: served folders, Chromium, and packages of Node."""

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NODE_MODULES = Path(__file__).parent.parent / "node_modules"
ARGUMENTS = (
    "--no-sandbox", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def node_package(name: str) -> Path:
    """A package of npm; a test that needs it is skipped where it is missing."""
    folder = NODE_MODULES / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not installed (make browser)")
    return folder


Launch = Callable[..., Any]


@contextmanager
def chromium() -> Generator[Launch]:
    """Starts headless Chromiums with command-line arguments; a test that needs one is skipped
    where it is missing.
    """
    api = pytest.importorskip("playwright.sync_api", reason="playwright is missing (make browser)")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(
            executable_path=found, args=[*ARGUMENTS, *arguments]
        )


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path) -> Generator[str]:
    """The address of a folder, while it is served."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()
