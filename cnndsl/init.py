"""Initialisers: how the weights of a layer are drawn before training.

Each takes the shape and fans of a tensor and a numpy Generator. numpy is imported when drawing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


@dataclass(frozen=True)
class Init:
    """An initialiser by name; `value` is used by `constant` only."""

    name: str
    value: float = 0.0


ZEROS = Init("zeros")
ONES = Init("ones")


@dataclass(frozen=True)
class Fans:
    """Inputs and outputs that one unit sees: what the papers' formulas are about."""

    fan_in: int
    fan_out: int


ONE_FAN = Fans(1, 1)

Draw = Callable[["np.random.Generator", tuple[int, ...], Fans], Any]


def _normal(variance: Callable[[Fans], float]) -> Draw:
    return lambda rng, shape, fans: rng.normal(0.0, sqrt(variance(fans)), shape)


def _uniform(variance: Callable[[Fans], float]) -> Draw:
    def draw(rng: "np.random.Generator", shape: tuple[int, ...], fans: Fans) -> Any:
        bound = sqrt(3.0 * variance(fans))
        return rng.uniform(-bound, bound, shape)

    return draw


def _he(fans: Fans) -> float:
    return 2.0 / fans.fan_in


def _glorot(fans: Fans) -> float:
    return 2.0 / (fans.fan_in + fans.fan_out)


def _lecun(fans: Fans) -> float:
    return 1.0 / fans.fan_in


def _orthogonal(rng: "np.random.Generator", shape: tuple[int, ...], fans: Fans) -> Any:
    """Rows (or columns, if fewer) of length 1, at right angles to each other; uniform by Haar."""
    import numpy as np

    rows, columns = shape[0], prod(shape[1:])
    tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def _dirac(rng: "np.random.Generator", shape: tuple[int, ...], fans: Fans) -> Any:
    """A channel goes through as it is; filters beyond a group's inputs are drawn by `he_normal`."""
    import numpy as np

    weights = _normal(_he)(rng, shape, fans)
    middle = tuple(side // 2 for side in shape[2:])
    outputs = fans.fan_out // prod(shape[2:])  # of a group
    at = np.arange(shape[0]) % outputs
    kept = at < shape[1]
    weights[kept] = 0.0
    weights[(np.flatnonzero(kept), at[kept], *middle)] = 1.0
    return weights


def _whiten(rng: "np.random.Generator", shape: tuple[int, ...], fans: Fans) -> Any:
    """Of white noise, where there are no images: directions at right angles, by chance."""
    side = prod(shape[1:])
    return whitening(_normal(_he)(rng, shape, fans), _orthogonal(rng, (side, side), fans))


def whitening(weights: Any, directions: Any) -> Any:
    """Filters of one group with pairs of ± rows of `directions` in place of the first ones.

    Where there are fewer filters than rows in both signs, the first rows are taken; where there are
    more, the rest stays as it is.
    """
    found, most = weights.copy(), (len(weights) + 1) // 2
    rows = directions[:most].reshape(-1, *weights.shape[1:])
    for start, part in ((0, rows), (len(rows), -rows)):
        end = min(start + len(rows), len(weights))
        found[start:end] = part[: end - start]
    return found


def whitening_directions(covariance: Any, eps: float = 5e-4) -> Any:
    """Eigenvectors over √(eigenvalue + eps), as rows, the largest eigenvalue first.

    Each has its largest number positive, so that the machine does not choose a sign.
    """
    import numpy as np

    values, vectors = np.linalg.eigh(covariance)
    rows = (vectors / np.sqrt(np.maximum(values, 0) + eps)).T[::-1]
    largest = np.take_along_axis(rows, np.abs(rows).argmax(1, keepdims=True), axis=1)
    return rows * np.sign(largest)


def _filled(number: float) -> Draw:
    return lambda rng, shape, fans: rng.uniform(number, number, shape)


INITIALISERS: dict[str, tuple[Draw, str]] = {
    "he_normal": (_normal(_he), "He et al. 2015, arXiv:1502.01852"),
    "he_uniform": (_uniform(_he), "He et al. 2015, arXiv:1502.01852"),
    "glorot_normal": (_normal(_glorot), "Glorot & Bengio 2010, AISTATS"),
    "glorot_uniform": (_uniform(_glorot), "Glorot & Bengio 2010, AISTATS"),
    "lecun_normal": (_normal(_lecun), "LeCun et al. 1998, Efficient BackProp"),
    "lecun_uniform": (_uniform(_lecun), "LeCun et al. 1998, Efficient BackProp"),
    "orthogonal": (_orthogonal, "Saxe et al. 2014, arXiv:1312.6120"),
    "dirac": (_dirac, "Zagoruyko & Komodakis 2017, arXiv:1706.00388"),
    "whiten": (_whiten, "Jordan 2024, arXiv:2404.00498"),
    "zeros": (_filled(0.0), "all 0"),
    "ones": (_filled(1.0), "all 1"),
}

NAMES = tuple(INITIALISERS)
WITHOUT_IMAGES = tuple(name for name in NAMES if name != "whiten")
"""Those that layers other than `conv` take."""

WITHOUT_IDENTITY = tuple(name for name in WITHOUT_IMAGES if name != "dirac")
"""Those of layers that enlarge the map, where no channel goes through as it is."""


def draw(init: Init, shape: tuple[int, ...], fans: Fans, rng: "np.random.Generator") -> "Array":
    """A float32 tensor of the given shape, drawn as `init` says."""
    import numpy as np

    if init.name == "constant":
        return np.full(shape, init.value, np.float32)
    return np.asarray(INITIALISERS[init.name][0](rng, shape, fans), np.float32)
