"""Files and printed forms of models that other tools have, and that say no network here.

Each is one error, with the tool and the way.
"""

import re

from cnndsl.frameworks.region import Region

_ONNX = "export the model as ONNX and run `cnndsl decompile model.onnx`"
_YAML_LAYER = (  # [-1, 1, Conv, [64, 3, 2]]
    r"^[ \t]*-?[ \t]*\[+[ \t]*(?:-?[0-9]+|\[[-0-9, ]+\])[ \t]*,[ \t]*[0-9]+[ \t]*,[ \t]*[\w.]+"
)
_KINDS = (
    (_YAML_LAYER, "a model file of ultralytics (YAML)",
     "its modules stand in ultralytics' own code: write `yolo export model=… format=onnx`, then "
     "`cnndsl decompile best.onnx`; classes, not boxes, are learned here"),
    (r"^[ \t]*layers?[ \t]*\{(?=[^}]*\btype[ \t]*:)", "a network of Caffe (prototxt)",
     f"its meaning depends on the Caffe that reads it: {_ONNX}"),
    (r"\"class_name\"[ \t]*:[ \t]*\"(?:Sequential|Functional|Model)\"", "a model of Keras in JSON",
     f"paste the Python that builds it, or {_ONNX}"),
    (r"Layer \(type(?::depth-idx)?\)\s+.*Output Shape", "a table of `summary`",
     f"it does not say kernels, strides and paddings: paste the Python that builds the model, or "
     f"{_ONNX}"),
    (r"^[ \t]*-[ \t]+(?:type|name|class|layer)[ \t]*:", "a list in YAML",
     "a spec is a list of layers, one a line: `conv 32 3x3 relu`"),
)  # fmt: skip


def region(text: str) -> Region | None:
    """The whole text as a file of a tool; None for any other."""
    for pattern, what, way in _KINDS:
        if (match := re.search(pattern, text, re.MULTILINE)) is not None:
            start = len(text) - len(text.lstrip())
            end = len(text.rstrip())
            line = text.find("\n", match.end())
            stop = min(end, line if line >= 0 else end)
            first = match.start() + len(match[0]) - len(match[0].lstrip())
            return Region(start, end, (), ((first, stop, way),), what=what)
    return None
