"""The versions of the package and of the language."""

LANGUAGE = 1


def version() -> str:
    """The installed package's version, from its metadata."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("cnndsl")
    except PackageNotFoundError:
        return "0.1.0+source"
