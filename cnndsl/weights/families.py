"""How families of networks name their modules: the order of computation, from names alone.

A line lists the children of a module in their order; `#` is a number or nothing, `*` is anything
that counts on (`5a`, `_1a_3x3`). Sources: torchvision.models, timm.models.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from cnndsl.weights.modules import Shape

_ORDERS = """
conv1 bn1 conv2 bn2 conv3 bn3 se downsample
conv1 bn1 relu layer# norm fc
norm1 conv1 norm2 conv2
norm conv
conv0 norm0 denseblock1 transition1 denseblock2 transition2 denseblock3 transition3 denseblock4 \
norm5
features classifier
features norm classifier
layers classifier
conv bn
conv bn1
block layer_scale
fc1 fc2
conv_reduce conv_expand
conv_dw bn1 se conv_pw bn2
conv_pw bn1 conv_dw bn2 se conv_pwl bn3
conv_exp bn1 se conv_pwl bn2
conv_stem bn1 blocks conv_head norm_head bn2 classifier
stem stages norm_pre norm head
downsample blocks
conv_dw norm mlp
norm fc
pre_logits fc
Conv2d* Mixed* AuxLogits fc
conv# inception* aux1 aux2 fc
branch1x1 branch5x5* branch7x7_* branch3x3 branch3x3_* branch3x3dbl* branch7x7dbl* branch7x7x3* \
branch_pool
branch# branch_pool
squeeze expand1x1 expand3x3
stem trunk_output fc
stem s# final_conv head
proj f
a b se c
conv1 conv2 se conv3 downsample
conv1 stage# conv5 fc
squeeze excite
stem blocks head
conv# fc#
features fc# classifier
"""
_TABLE: list[list[str]] = [list[str](line.split()) for line in _ORDERS.strip().splitlines()]


@cache
def _pattern(entry: str) -> re.Pattern[str]:
    if entry.endswith("#"):
        return re.compile(re.escape(entry[:-1]) + r"[-_]?\d*")
    if entry.endswith("*"):
        return re.compile(re.escape(entry[:-1]) + r".*")
    return re.compile(re.escape(entry))


def restored(shapes: Mapping[str, Shape]) -> dict[str, Shape] | None:
    """Tensors in the order of computation, by their names; None where a name is of no family."""
    keys = _keys(name.split(".")[:-1] for name in shapes)
    if keys is None:
        return None
    paths = {name: name.split(".")[:-1] for name in shapes}
    return {
        name: shapes[name]
        for name in sorted(shapes, key=lambda n: [keys[tuple(paths[n][: i + 1])]
                                                  for i in range(len(paths[n]))])
    }  # fmt: skip


def _keys(paths: Iterable[list[str]]) -> dict[tuple[str, ...], tuple[object, ...]] | None:
    """For each module the key that sorts it among its siblings."""
    children = dict[tuple[str, ...], dict[str, None]]()
    for path in paths:
        for i, step in enumerate(path):
            children.setdefault(tuple(path[:i]), {})[step] = None
    keys = dict[tuple[str, ...], tuple[object, ...]]()
    for parent, names in children.items():
        ranks = _ranks(list(names))
        if ranks is None:
            return None
        keys |= {(*parent, name): rank for name, rank in ranks.items()}
    return keys


def _ranks(names: list[str]) -> dict[str, tuple[object, ...]] | None:
    """Siblings by their place: alone, all numbered, or as one line of the table has them."""
    if len(names) == 1 or _counted(names):
        return {name: (0, *_natural(name)) for name in names}
    for line in _TABLE:
        places = {name: place for name in names if (place := _place(name, line)) is not None}
        if len(places) == len(names):
            return {name: (places[name], *_natural(name)) for name in names}
    return None


def _counted(names: list[str]) -> bool:
    """Whether siblings differ by a number at their end alone: `0`, `7`; `layer1`, `layer2`."""
    stems = {re.sub(r"\d+$", "", name) for name in names}
    return len(stems) == 1 and all(name[-1:].isdigit() for name in names)


def _place(name: str, line: list[str]) -> int | None:
    return next((i for i, entry in enumerate(line) if _pattern(entry).fullmatch(name)), None)


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Numbers by their value: `layer10` behind `layer9`."""
    return tuple((0, int(part)) if part.isdigit() else (1, part)
                 for part in re.split(r"(\d+)", name) if part)  # fmt: skip
