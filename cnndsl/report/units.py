"""Large numbers and sizes as people read them."""


def short(number: float) -> str:
    """4089184256 as `4.09 G`."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= factor:
            return f"{number / factor:.2f}{unit}"
    return f"{number:g}"


def in_macs(number: int) -> str:
    """`4.09 GMACs`, `320 MACs`."""
    text = short(number)
    return f"{text}MACs" if text[-1].isalpha() else f"{text} MACs"


def mib(count: int) -> str:
    """Bytes in MiB, KiB or B."""
    if count < 2**10:
        return f"{count} B"
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
