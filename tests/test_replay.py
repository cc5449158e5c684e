"""A few graphs of `benchmarks/replay.py` are those of its record; the whole takes minutes."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
import replay

SOME = ("mnist ", "resnet8 step", "`smooth`", "`concat`", "`upsample`")


def test_graphs_are_those_that_are_recorded():
    """A change that is meant: `python benchmarks/replay.py --update`, and say why in the commit."""
    found = replay.replay(SOME, quick=True)
    assert len(found) > 90
    assert replay.changed(found) == []


def test_every_spec_and_layer_is_recorded():
    recorded = replay.record()
    assert [title for title, _ in replay.cases() if title not in recorded] == []


def test_a_hash_tells_one_constant_from_another(monkeypatch: pytest.MonkeyPatch):
    first = replay.inference("mnist")
    assert first == replay.inference("mnist")
    tensors = replay.weights(replay.spec("mnist"))
    next(iter(tensors.values())).flat[-1] += 1
    monkeypatch.setattr(replay, "weights", lambda model: tensors)
    assert first != replay.inference("mnist")
