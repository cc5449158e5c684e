"""The one layout of a spec: `formatted` changes spaces and line breaks, never what is said."""

from cnndsl.fmt.render import formatted

__all__ = ["formatted"]
