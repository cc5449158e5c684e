"""Downloads with progress and hash, through pooch."""

from importlib import import_module
from pathlib import Path
from typing import Any

from cnndsl.source import UserError, option


def fetch(url: str, known_hash: str, path: Path) -> Path:
    """The file, downloaded once; UserError where there is no network or the hash is wrong."""
    from requests.exceptions import RequestException

    pooch: Any = import_module("pooch")
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            url, known_hash, fname=path.name, path=path.parent, downloader=_downloader(pooch)
        )
    except (RequestException, OSError) as error:
        raise UserError(
            f"{url}: cannot be downloaded: {error}\n"
            f"  fetch it elsewhere and give its folder with {option('data-dir')}"
        ) from None
    except ValueError as error:  # a wrong hash
        raise UserError(f"{url}: {error}") from None
    return path


def _downloader(pooch: Any) -> Any:
    import sys

    from cnndsl.data.progress import Bar

    show = Bar() if sys.stderr.isatty() else False
    return pooch.HTTPDownloader(progressbar=show, timeout=30)
