"""Writes one test image of a generated data set: for the demo, which needs no download.

python docs/draw_picture.py FILE [DATA SIDE]
"""

import sys

from PIL import Image

from cnndsl.data.registry import open_dataset


def draw(path, name="shapes", side="32"):
    """The first test image as a file; what it shows is printed."""
    data = open_dataset(name, (3, int(side), int(side)))
    x, y = data.test.x[0], data.test.y[0]
    Image.fromarray(x.transpose(1, 2, 0)).save(path)
    shown = sorted({data.names[int(label)] for label in y.reshape(-1)})
    print(f"{path}: {', '.join(shown)}")


if __name__ == "__main__":
    draw(*sys.argv[1:])
