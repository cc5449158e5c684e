"""What is told of images that are of another kind than the model's input."""

from collections import Counter
from collections.abc import Iterator

from cnndsl.data.dataset import Dataset
from cnndsl.runtime.pixel_modes import Change

_TOLD = {
    Change.DEPTH: "16 bits a value, of which the upper 8 are kept",
    Change.GROUND: "transparent pixels, laid on {ground} (`ground` says white, black or gray)",
    Change.TO_GRAY: "colours, which an input of one channel does not see",
    Change.TO_RGB: "gray, the same values for all three channels of the input",
}
_NARROW = """
  none reaches a quarter of their range, so that few values are left
  scale them to all of 0…65535 first: 12 bits by `x << 4`"""


def told_changes(data: Dataset) -> Iterator[str]:
    """A line for each kind of change, with how many images it concerns."""
    is_one = data.train.x is data.test.x
    splits = [data.train] if is_one else [data.train, data.test]
    changes = sum((Counter(split.changes) for split in splits), Counter[Change]())
    images = sum(map(len, splits))
    for change, text in _TOLD.items():
        count = changes[change]
        if count:
            narrow = change is Change.DEPTH and changes[Change.NARROW] == count
            what = text.format(ground=data.info.ground)
            told = f"{data.name}: {count:,} of {images:,} images: {what}"
            yield told + (_NARROW if narrow else "")
