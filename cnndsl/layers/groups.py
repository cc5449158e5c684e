"""Groups of channels: what they have to divide, and which numbers do."""

from math import gcd

from cnndsl.layers.base import Reject
from cnndsl.layers.mend import Field
from cnndsl.shapes import Shape
from cnndsl.source import counted


def check_groups(groups: int, counts: dict[str, int], written: str, assume: Shape) -> None:
    """Rejects groups that do not divide all counts, such as `{"input channels": 30}`.

    `written` is how a layer has its groups, `groups={}` or `gn {}`; `assume` is the shape to go on
    with.
    """
    wrong = next((f"{count} {what}" for what, count in counts.items() if count % groups), None)
    if wrong is None:
        return
    numbers = list(dict.fromkeys(counts.values()))
    best, *others = divisors(groups, gcd(*numbers))
    raise Reject(
        "E205",
        f"{counted(groups, 'group')} do not divide {wrong}",
        arg="groups",
        help=f"write `{written.format(best)}`{_others(numbers, others)}",
        assume=assume,
        mend=Field("groups", written.format(best).split()[-1]),
    )


def divisors(near: int, count: int) -> list[int]:
    """At most four divisors of a count, the nearest to a number first."""
    fits = (n for n in range(1, min(count, 4096) + 1) if count % n == 0)
    return sorted(fits, key=lambda n: abs(n - near))[:4]


def _others(numbers: list[int], others: list[int]) -> str:
    whole = " and ".join(map(str, numbers))
    common = "common " if len(numbers) > 1 else ""
    if not others:
        return f": there is no other {common}divisor of {whole}"
    listed = ", ".join(map(str, sorted(others)))
    return f", or another {common}divisor of {whole}: {listed}"
