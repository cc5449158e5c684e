"""Pipelines: tuples of named passes from state to state, that can be stopped behind any of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from cnndsl.graph.tape import Tape, Value
from cnndsl.graph.verify import InvalidTape, verify


@dataclass(frozen=True, kw_only=True)
class State:
    """What the passes of a pipeline hand on: a tape, and whatever a pipeline adds."""

    tape: Tape = field(default_factory=Tape)

    def results(self) -> Mapping[str, Value]:
        """What the passes so far have worked out, by name: the tape's outputs."""
        return self.tape.outputs


S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Pass(Generic[S]):
    """A step of a pipeline, by name."""

    name: str
    run: Callable[[S], S]


def on_state(change: Callable[[S], S]) -> Pass[S]:
    """A pass named as its function."""
    return Pass(change.__name__, change)


def on_tape(
    change: Callable[[Tape], Tape], when: Callable[[S], bool] = lambda state: True
) -> Pass[S]:
    """A pass over the tape alone, named as its function; skipped where `when` is false."""

    def run(state: S) -> S:
        return replace(state, tape=change(state.tape)) if when(state) else state

    return Pass(change.__name__, run)


Pipeline = tuple[Pass[S], ...]


def stages(pipeline: Pipeline[S]) -> Iterator[tuple[str, Pass[S]]]:
    """The passes with names of their own: the second `share_common` is `share_common:2`."""
    seen = Counter[str]()
    for each in pipeline:
        seen[each.name] += 1
        count = seen[each.name]
        yield (each.name if count == 1 else f"{each.name}:{count}"), each


def run(
    pipeline: Pipeline[S],
    state: S,
    until: str | None = None,
    behind: Callable[[str, S], None] = lambda stage, state: None,
) -> S:
    """The state behind a stage, or behind the last; `behind` is called after each."""
    for stage, each in stages(pipeline):
        state = each.run(state)
        behind(stage, state)
        if stage == until:
            break
    return state


def verified(stage: str, state: State) -> None:
    """For `behind`: InvalidTape, with the stage, where a pass has left no valid graph."""
    try:
        verify(state.tape)
    except InvalidTape as problem:
        raise InvalidTape(f"behind {stage}: {problem}") from None
