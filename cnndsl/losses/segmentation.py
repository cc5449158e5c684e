"""Losses of masks that look at regions instead of pixels."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.tape import Tape, Value
from cnndsl.losses.base import VOID, Loss, Masks
from cnndsl.losses.classification import CrossEntropy


@dataclass(frozen=True)
class Dice(Loss, word="dice"):
    """One minus the overlap of each class, for masks: rare classes count as much as frequent ones.

    loss = mean_nc 1 − (2 · Σ_i p · q + eps) / (Σ_i p + Σ_i q + eps) over the pixels i of an image,
    with p = softmax(x) and q = one-hot; the mean is over images and classes. `eps`, in pixels, is
    what makes a class that an image neither has nor is given a perfect one. Pixels of class
    `ignore` or 255 are left out.

    Source: Milletari et al. 2016, V-Net, arXiv:1606.04797.
    """

    fits = frozenset({"masks"})
    activation = "softmax"

    eps: float = key("float", default=1.0, low=1e-6, doc="added above and below, in pixels")
    ignore: int = key("int", default=VOID, low=0, high=VOID, doc="class that is left out")

    def emit_masks(self, tape: Tape, x: Value, masks: Masks) -> Value:
        """The probabilities come from log softmax, as those of a cross entropy beside it do."""
        import numpy as np

        images, _, classes = (int(d) for d in x.shape)
        q = masks.rows(tape, np.eye(classes), x.dtype)
        p = tape.op("Exp", tape.op("LogSoftmax", x, axis=2))
        p = tape.op("Mul", p, masks.rows(tape, np.ones((classes, 1)), x.dtype))
        eps, over_pixels = tape.scalar(self.eps, x.dtype), tape.ints([1])
        both = tape.op("ReduceSum", tape.op("Mul", p, q), over_pixels, keepdims=0)
        sizes = tape.op("ReduceSum", tape.op("Add", p, q), over_pixels, keepdims=0)
        above = tape.op("Add", tape.op("Add", both, both), eps)
        overlap = tape.op("Div", above, tape.op("Add", sizes, eps))
        total = tape.op("ReduceSum", overlap, tape.ints([0, 1]), keepdims=0)
        share = tape.op("Mul", total, tape.scalar(1 / (images * classes), x.dtype))
        return tape.op("Sub", tape.scalar(1.0, x.dtype), share)

    def ignored(self) -> int:
        """`ignore`."""
        return self.ignore


@dataclass(frozen=True)
class DiceCrossEntropy(CrossEntropy, word="dice_ce"):
    """The sum of `dice` and `cross_entropy`, for masks: whole regions and each of their pixels.

    `smooth` and `weights` are those of `cross_entropy`, `eps` is that of `dice`.

    Source: Isensee et al. 2021, nnU-Net, doi:10.1038/s41592-020-01008-z.
    """

    fits = frozenset({"masks"})

    eps: float = key("float", default=1.0, low=1e-6, doc="added above and below, in pixels")

    def emit_masks(self, tape: Tape, x: Value, masks: Masks) -> Value:
        """dice + cross_entropy."""
        region = Dice(self.eps).emit_masks(tape, x, masks)
        return tape.op("Add", region, super().emit_masks(tape, x, masks))
