"""Writes one picture of the generated data set `shapes`: for the demo, which needs no download."""

import sys

from PIL import Image

from cnndsl.data.formats import shapes

data = shapes.load()
Image.fromarray(data.test.x[0].transpose(1, 2, 0)).save(sys.argv[1])
print(f"{sys.argv[1]}: a {data.classes[data.test.y[0]]}")
