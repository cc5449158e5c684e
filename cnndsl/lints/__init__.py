"""Lints: what a spec that is valid probably did not mean. Each is a function, a code and a page."""

from cnndsl.lints.base import Choice, inspect, inspect_file, lint_codes

__all__ = ["Choice", "inspect", "inspect_file", "lint_codes"]
