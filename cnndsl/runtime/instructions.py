"""The CPU's instructions that arithmetic of eight bits uses."""

from pathlib import Path

_LISTS = ("flags", "Features")  # of x86 and of ARM
_KNOWN = (
    "avx2", "avx512f", "avx512bw", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm", "sve",
)  # fmt: skip
_VNNI = ("avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
"""Those that sum products of bytes in 32 bits."""


def instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Their names as Linux has them; none where it is not known, as on other systems."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = next((value for name, _, value in (line.partition(":") for line in lines)
                  if name.strip() in _LISTS), "")  # fmt: skip
    return tuple(name for name in _KNOWN if name in found.split())


def has_vnni(found: tuple[str, ...]) -> bool:
    """Whether any of them sums without saturating."""
    return any(name in _VNNI for name in found)
