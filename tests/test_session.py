"""How sessions are opened."""

import os
from typing import Any

import pytest

from cnndsl.runtime import session


class Options:
    """What is asked of onnxruntime."""

    intra_op_num_threads = -1


@pytest.mark.parametrize(
    ("asked", "allowed", "threads"),
    [(None, {0, 1, 2, 3}, 0), (None, {1}, 1), (3, {1}, 3), (None, {0, 2}, 2)],
)
def test_threads_are_as_many_as_cores_that_may_be_used(
    asked: int | None, allowed: set[int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime's own default, 0, looks at the machine, not at what a process may use of it."""
    seen = list[int]()

    class Runtime:
        SessionOptions = Options

        @staticmethod
        def get_available_providers() -> list[str]:
            return [session.CPU]

        @staticmethod
        def InferenceSession(model: bytes, options: Options, providers: list[str]) -> Any:  # noqa: N802
            seen.append(options.intra_op_num_threads)

    monkeypatch.setattr(session, "runtime", lambda: Runtime)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed, raising=False)
    session.open_session(b"", "cpu", asked)
    assert seen == [threads]
