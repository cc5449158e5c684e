"""What a file that is not an image of ours is, by its first bytes, and what to do with it."""

from pathlib import Path

_HEAD = 64
_AS_PNG = "save it as .png"
_UNPACK = "unpack it first"
_AGAIN = "download it again"
_STARTS = (
    (b"%PDF", "a PDF", _AS_PNG),
    (b"II*\0", "a TIFF", _AS_PNG),
    (b"MM\0*", "a TIFF", _AS_PNG),
    (b"\0\0\0\x0cjP", "a JPEG 2000", _AS_PNG),
    (b"8BPS", "a Photoshop file", _AS_PNG),
    (b"<svg", "an SVG", _AS_PNG),
    (b"<?xml", "XML", _AS_PNG),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"\x93NUMPY", "an .npy array", "give it that ending"),
    (b"<html", "a web page", _AGAIN),
    (b"<!doctype html", "a web page", _AGAIN),
    (b"version https://git-lfs", "a pointer of Git LFS", "`git lfs pull` fetches the image"),
)
_BRANDS = ((b"avif", "an AVIF"), (b"hei", "a HEIC"), (b"hev", "a HEIC"), (b"mif1", "a HEIC"))


def other_kind(path: Path) -> str | None:
    """`is a PDF`, with what to do about it in a line below; None for a kind that is not known."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if not head:
        return f"is empty\n  {_AGAIN}, or move it away"
    if head[4:8] == b"ftyp":
        found = next((kind for brand, kind in _BRANDS if head[8:].startswith(brand)), "a video")
        return f"is {found}, which is not read\n  {_AS_PNG}"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, kind, hint in _STARTS:
        if head.startswith(start) or text.lower().startswith(start):
            return f"is {kind}, which is not read\n  {hint}"
    return None
