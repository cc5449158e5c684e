"""Figures: each program says one; all stand once more at the end of the run, workers or not."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from budget import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))  # strategies, reference, running


@pytest.fixture
def figure(record_property: Callable[[str, Any], None]) -> Figure:
    """Says what was counted or measured: `figure("bombs: 20, slowest 0.2 s")`."""

    def say(text: str) -> None:
        record_property("figure", text)
        print(f"\n{text}")

    return say


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The figures of all programs, those of the workers too."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    said = {t: None for r in reports for k, t in r.user_properties if k == "figure"}
    if said:
        terminalreporter.section("figures")
        for text in said:
            terminalreporter.write_line(text)
