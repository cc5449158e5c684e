"""Tables of calls: each framework's names, their order of arguments, and who writes them here."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cnndsl.frameworks.arguments import Arguments
from cnndsl.frameworks.values import Call

Writer = Callable[[Arguments], str]


@dataclass(frozen=True)
class Table:
    """The calls of one framework that are layers, losses, optimizers or schedules."""

    entries: dict[str, tuple[str, Writer]] = field(default_factory=dict[str, tuple[str, Writer]])

    def call(self, names: str, order: str = "") -> Callable[[Writer], Writer]:
        """Register a function as the writer of calls with these names, and their arguments."""

        def register(writer: Writer) -> Writer:
            self.entries.update((name, (order, writer)) for name in names.split())
            return writer

        return register

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def written(self, call: Call) -> str:
        """A call in our words; NotTheirs, NoCounterpart."""
        order, writer = self.entries[call.name]
        arguments = Arguments(call, order)
        text = writer(arguments)
        arguments.done()
        return text
