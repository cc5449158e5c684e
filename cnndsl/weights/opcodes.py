"""A look at a pickle before it is loaded: no opcode that takes memory, or the stack of the
interpreter, by a number instead of by data.
"""

from io import BytesIO
from pickletools import OpcodeInfo, genops, markobject
from typing import Any, cast

from cnndsl.weights.base import Refused

LARGEST_PICKLE = 64 * 2**20  # bytes, without the storages
_LARGEST_MEMO = 10_000_000
_REFUSED = frozenset({"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"})
_LONGEST_INTEGER = 64  # bytes
_LARGEST_TUPLE = 1000  # values: Python hashes tuples in tuples by recursion that nothing bounds


def check_opcodes(stream: BytesIO) -> None:
    """Read a pickle to its end; Refused for one that is not harmless to load."""
    start, sizes = stream.tell(), _Sizes()
    for opcode, argument, _ in genops(cast(Any, stream)):
        if opcode.name in _REFUSED:
            raise Refused(f"the opcode {opcode.name}")
        if opcode.name.endswith("PUT") and int(cast(Any, argument)) > _LARGEST_MEMO:
            raise Refused(f"a memo of {argument:,} entries")
        if type(argument) is int and argument.bit_length() > 8 * _LONGEST_INTEGER:
            raise Refused("an integer of thousands of digits")
        if stream.tell() - start > LARGEST_PICKLE:
            raise Refused(f"a pickle of more than {LARGEST_PICKLE:,} bytes beside its storages")
        sizes.step(opcode, argument)


class _Sizes:
    """How many values the tuples on the stack and in the memo have, all levels together."""

    def __init__(self) -> None:
        self.stack, self.marks, self.memo = list[int](), list[int](), dict[int, int]()

    def step(self, opcode: OpcodeInfo, argument: Any) -> None:
        """What an opcode does to the stack; Refused for tuples of too many values."""
        name = opcode.name
        if name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name.endswith("PUT"):
            self.memo[int(argument)] = self.stack[-1]
        elif name.endswith("GET"):
            self.stack.append(self.memo[int(argument)])
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name == "DUP":
            self.stack.append(self.stack[-1])
        else:
            self._replace(opcode)

    def _replace(self, opcode: OpcodeInfo) -> None:
        taken = self._taken(opcode)
        size = 1 + sum(taken) if "TUPLE" in opcode.name else 1
        if size > _LARGEST_TUPLE:
            raise Refused(f"tuples in tuples of more than {_LARGEST_TUPLE:,} values")
        self.stack += [size] * len(opcode.stack_after)

    def _taken(self, opcode: OpcodeInfo) -> list[int]:
        """What an opcode takes off the stack: so many values, or all behind the last mark."""
        at = len(self.stack) - len(opcode.stack_before)
        if markobject in opcode.stack_before and opcode.name != "POP":
            at = self.marks.pop() - opcode.stack_before.index(markobject)
        elif opcode.name == "POP" and self.marks[-1:] == [len(self.stack)]:
            at = self.marks.pop()
        taken, self.stack[at:] = self.stack[at:], []
        return taken
