"""Writes one test image of a generated data set, of 32×32: for the demo, which needs no download.

python docs/draw_picture.py FILE [DATA]
"""

import sys

from PIL import Image

from cnndsl.data.registry import open_dataset


def draw(path, name="shapes"):
    """The first test image as a file; what it shows is printed."""
    data = open_dataset(name, (3, 32, 32))
    x, y = data.test.x[0], data.test.y[0]
    Image.fromarray(x.transpose(1, 2, 0)).save(path)
    told = (
        [f"{n} {v:.4g}" for n, v in zip(data.names, y, strict=True)]
        if y.shape
        else ["a", data.names[y]]
    )
    print(f"{path}:", *told)


if __name__ == "__main__":
    draw(*sys.argv[1:])
