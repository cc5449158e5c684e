"""Wrong lines, the help for each, and the lines with the help in them.

The specification of test_helps.py, and the table of docs/mistakes.md.
"""

Table = dict[tuple[str, ...], tuple[str, tuple[str, ...]]]

A = "a: conv 16 3x3 same relu"
SHAPES: Table = {
    ("conv 32 3x3 dilation=16",): (
        "write `same`, or use a kernel of at most 2x2", ("conv 32 3x3 same dilation=16",)),
    ("conv 32 3x3 pad=0x3 dilation=16",): (
        "write `same` in the place of `pad=0x3`, or use a kernel of at most 2x3",
        ("conv 32 3x3 same dilation=16",)),
    ("conv 8 3x3 same /2", "conv 8 17x3"): (
        "write `same`, or use a kernel of at most 16x16",
        ("conv 8 3x3 same /2", "conv 8 17x3 same")),
    ("pool 33",): ("use a window of at most 32x32, or leave this `pool` out", ("pool 32",)),
    ("gap; pool 2",): ("leave this `pool` out", ("gap; ",)),
    ("pool 2 pad=2",): ("write `pad=1`, or use a larger window", ("pool 2 pad=1",)),
    ("crop 20",): ("cut at most 31 rows and 31 columns, both sides together", ("crop 15",)),
    ("upconv 8 3x3 /2 extra=2",): ("write `extra=1`", ("upconv 8 3x3 /2 extra=1",)),
    ("conv 8 3x3; dense 10; relu",): (
        "write `flatten` before it (gives 7,200 features) or `gap` (gives 8)",
        ("conv 8 3x3; flatten; dense 10; relu",)),
    ("flatten; conv 8 3x3",): (
        "put `conv` before `flatten` and `dense`, or write `reshape 3x32x32` before it",
        ("flatten; reshape 3x32x32; conv 8 3x3",)),
    ("reshape 3x16x16",): (
        "choose a shape of 3,072 values, such as `12x16x16`", ("reshape 12x16x16",)),
    ("conv 30 1x1 groups=3 relu; conv 12 3x3 groups=5",): (
        "write `groups=6`, or another common divisor of 30 and 12: 1, 2, 3",
        ("conv 30 1x1 groups=3 relu; conv 12 3x3 groups=6",)),
    ("conv 30 1x1; gn 4",): (
        "write `gn 3`, or another divisor of 30: 2, 5, 6", ("conv 30 1x1; gn 3",)),
    ("pool 3 dilation=16",): (
        "use a window of at most 2x2, or leave this `pool` out", ("pool 2 dilation=16",)),
    ("upsample 2 align",): (
        "write `upsample 2x2 bilinear align`, or leave `align` out",
        ("upsample 2 bilinear align",)),
    ("conv 5 1x1; pixelshuffle 2",): (
        "write `conv 8 1x1` before it", ("conv 5 1x1; conv 8 1x1; pixelshuffle 2",)),
    ("slice 1 4",): ("write `slice start end` with 0 ≤ start < end ≤ 3", ("slice 1 3",)),
    ("lrn 4",): ("write `lrn 5`", ("lrn 5",)),
}  # fmt: skip
MERGES: Table = {
    ("a: conv 8 3x3 same relu", "pool 2; upsample 2; conv 8 2x2", "concat a"): (
        "a border is lost on the way: write `conv 8 2x2 same` at line 3",
        ("a: conv 8 3x3 same relu", "pool 2; upsample 2; conv 8 2x2 same", "concat a")),
    (A, "zeropad 1", "concat a"): (
        "bring the sizes together: `crop 1; concat a`, or the smaller up with `zeropad 1`",
        (A, "zeropad 1", "crop 1; concat a")),
    ("a: zeropad bottom=1 right=1", "pool 2; upsample 2; concat a"): (
        "bring the sizes together: `zeropad bottom=1 right=1; concat a`, or use an input whose "
        "sides halve evenly",
        ("a: zeropad bottom=1 right=1", "pool 2; upsample 2; zeropad bottom=1 right=1; concat a")),
    (A, "pool 2; conv 8 1x1", "concat a"): (
        "bring the sizes together: `concat { id | from a; pool 2 }`, or the smaller up with "
        "`upsample 2`",
        (A, "pool 2; conv 8 1x1", "concat { id | from a; pool 2 }")),
    (A, "concat { gap | conv 8 1x1 }"): (
        "bring the sizes together: `concat { gap; upsample 32 | conv 8 1x1 }`",
        (A, "concat { gap; upsample 32 | conv 8 1x1 }")),
    (A, "add { conv 8 3x3 same /3 | conv 8 3x3 same /2 }"): (
        "the strides on the way differ: write `add { conv 8 3x3 same /3 | conv 8 3x3 same /3 }`",
        (A, "add { conv 8 3x3 same /3 | conv 8 3x3 same /3 }")),
    (A, "pool 2", "add a"): (
        "project the shortcut: `add { id | from a; conv 16 1x1 /2 }`",
        (A, "pool 2", "add { id | from a; conv 16 1x1 /2 }")),
    (A, "conv 32 3x3 same", "add a"): (
        "project the shortcut: `add { id | from a; conv 32 1x1 }`",
        (A, "conv 32 3x3 same", "add { id | from a; conv 32 1x1 }")),
    (A, "residual { conv 16 3x3 same /2 bn relu; conv 16 3x3 same } relu"): (
        "project the shortcut: `add { conv 16 3x3 same /2 bn relu; conv 16 3x3 same | conv 16 1x1 "
        "/2 } relu`",
        (A, "add { conv 16 3x3 same /2 bn relu; conv 16 3x3 same | conv 16 1x1 /2 } relu")),
    (A, "residual { conv 16 3x3 relu; conv 16 3x3 }"): (
        "a border is lost on the way: write `residual { conv 16 3x3 same relu; conv 16 3x3 same }`",
        (A, "residual { conv 16 3x3 same relu; conv 16 3x3 same }")),
    (A, "mul { id | gap; conv 4 1x1 sigmoid }"): (
        "give the gate a value for each channel: `mul { id | gap; conv 4 1x1 sigmoid; conv 16 1x1 "
        "sigmoid }`",
        (A, "mul { id | gap; conv 4 1x1 sigmoid; conv 16 1x1 sigmoid }")),
    (A, "flatten; add a"): (
        "bring all to vectors: `add { id | from a; gap; flatten; dense 16384 }`",
        (A, "flatten; add { id | from a; gap; flatten; dense 16384 }")),
}  # fmt: skip
WORDS: Table = {
    ("conv 8 3x3 bias=False",): ("write `nobias`", ("conv 8 3x3 nobias",)),
    (A, "b: relu", "concat(a, b)"): (
        "write `from a; concat b`: no parentheses, no commas", (A, "b: relu", "from a; concat b")),
    (A, "conv 16 3x3 same", "relu + a"): (
        "tensors are merged by a statement: `relu; add a`", (A, "conv 16 3x3 same", "relu; add a")),
    ("Activation('relu')",): ("write `relu`", ("relu",)),
    ("conv 8 3x3 LeakyReLU(0.1)",): (
        "write `leaky alpha=0.1`", ("conv 8 3x3 leaky alpha=0.1",)),
    ("Conv2D(8, 3, padding='same') relu",): ("write `conv 8 3x3 same`", ("conv 8 3x3 same relu",)),
    ("conv 8 3x3 MaxPooling2D(2)",): ("write `; pool 2`", ("conv 8 3x3; pool 2",)),
    ("conv(8, 3, activation=relu)",): (
        "write `conv 8 3 relu`: no parentheses, no commas", ("conv 8 3 relu",)),
    (A, "conv 8 3x3 same", "concat(a)"): (
        "write `concat a`: no parentheses, no commas", (A, "conv 8 3x3 same", "concat a")),
    ("conv 8, 3x3, same, relu",): (
        "items are separated by spaces: `conv 64 3x3`", ("conv 8 3x3 same relu",)),
    ("relu -> pool 2 -> conv 8 3x3",): (
        "a statement ends with `;`, or with its line", ("relu; pool 2; conv 8 3x3",)),
    ("concat [ conv 8 1x1, relu ]",): (
        "there are no brackets: sizes are `3x32x32`, branches are `add { a | b }`",
        ("concat { conv 8 1x1 | relu }",)),
    ("32 conv 3x3",): ("a statement starts with a word: `conv 64 3x3`", ("conv 32 3x3",)),
    ("let c: 8", "conv c 3x3"): ("write `let c = …`", ("let c = 8", "conv c 3x3")),
    ("conv 8 3 x 3",): ("a size is one word, `3x3`; a repeat is `*3`", ("conv 8 3x3",)),
    ("conv 3x3 8",): ("the order is `conv <filters> <kernel>`", ("conv 8 3x3",)),
    ("conv 8 3x3 s2 ",): ("a stride has a `/`: `/2`", ("conv 8 3x3 /2 ",)),
    ("conv 8 3x3 padding same",): (
        "`same` is a word of its own: `conv … same`", ("conv 8 3x3 same",)),
    ("conv 8 3x3 activation relu",): (
        "`relu` is a word of its own: `conv … relu`", ("conv 8 3x3 relu",)),
    ("dropout 25",): ("a share: `0.25`", ("dropout 0.25",)),
    ("residual: conv 3 3x3 same",): (
        "write `residual { … }`", ("residual { conv 3 3x3 same }",)),
    ("relu; train epochs=5 batch=8",): (
        "settings stand inside of the braces", ("relu; train { epochs 5; batch 8 }",)),
    ("relu; train { epochs: 5, lr: 0.1 }",): (
        "write `epochs 5; optimizer adam lr=0.1`",
        ("relu; train { epochs 5; optimizer adam lr=0.1 }",)),
    ("relu; train { optimizer adam 0.01 }",): (
        "`adam` takes `lr=…`", ("relu; train { optimizer adam lr=0.01 }",)),
    ("relu; train { lr=0.001 }",): (
        "it is a key: `optimizer adam lr=0.001`", ("relu; train { optimizer adam lr=0.001 }",)),
    ("conv2d(3, 8, 5)",): ("write `conv 8 5`: no parentheses, no commas", ("conv 8 5",)),
    ("conv(8, 5, 5)",): ("write `conv 8 5x5`: no parentheses, no commas", ("conv 8 5x5",)),
    ("conv 8 3x3 padding 1",): (
        "a key takes its value behind `=`: `pad=1`", ("conv 8 3x3 pad=1",)),
    ("conv8 3x3",): ("a space parts a word from its number: `conv 8`", ("conv 8 3x3",)),
    ("3x conv 3 3x3 same relu",): (
        "a repeat stands behind its statement: `conv 3 3x3 same relu *3`",
        ("conv 3 3x3 same relu *3",)),
    ("a: conv 8 3x3 same", "b: relu", "c = a + b"): (
        "tensors are merged by a statement: `from a; c: add b`",
        ("a: conv 8 3x3 same", "b: relu", "from a; c: add b")),
    ("gap; dense num_classes=10",): (
        "`num_classes` is written without its name: `dense 10`", ("gap; dense 10",)),
    ("relu", "train(epochs=10, lr=0.01)"): (
        "write `train { epochs 10; optimizer adam lr=0.01 }`: no parentheses, no commas",
        ("relu", "train { epochs 10; optimizer adam lr=0.01 }")),
    ("relu", "training { epochs 5 }"): ("did you mean `train`?", ("relu", "train { epochs 5 }")),
    ("relu", "epochs 5", ""): (
        "`epochs` is a setting: `train { epochs … }`", ("relu", "train {\n  epochs 5\n}", "")),
    ("relu; train { batch_size=32 }",): (
        "a setting has no `=`: `batch 32`", ("relu; train { batch 32 }",)),
    ("relu; train { schedule multistep 3 6 }",): (
        'several numbers are one text: `multistep "3 6"`',
        ('relu; train { schedule multistep "3 6" }',)),
    ("relu; train { schedule multistep [3, 6] }",): (
        'several numbers are one text: `multistep "3 6"`',
        ('relu; train { schedule multistep "3 6" }',)),
    ("relu; train { weights net.pth }",): (
        'a folder or file stands in quotes: `weights "net.pth"`',
        ('relu; train { weights "net.pth" }',)),
    ("relu; train { augment rotation=10 }",): (
        "did you mean `rotate`?", ("relu; train { augment rotate=10 }",)),
    ("relu; train { epoch 5 }",): ("did you mean `epochs`?", ("relu; train { epochs 5 }",)),
    ("residual { conv 3 3x3 same", "relu"): (
        "add the `}`: `residual { conv 3 3x3 same }`", ("residual { conv 3 3x3 same }", "relu")),
    ("for i in range(3): conv 3 3x3 same relu",): (
        "a repeat stands behind its statement: `conv 3 3x3 same relu *3`",
        ("conv 3 3x3 same relu *3",)),
    ("relu; train { data ./images }",): (
        'a folder or file stands in quotes: `data "./images"`',
        ('relu; train { data "./images" }',)),
    ("LeakyReLU(0.1)",): ("write `leaky alpha=0.1`", ("leaky alpha=0.1",)),
    ("conv 32 3x3 2",): ("a stride has a `/`: `/2`", ("conv 32 3x3 /2",)),
    ("avgpool 2 same 2",): ("a stride has a `/`: `/2`", ("avgpool 2 same /2",)),
    ("dwconv 32 3x3",): (
        "the input's channels are known, leave them out: `dwconv 3x3`", ("dwconv 3x3",)),
    ("reshape -1",): ("all values as a vector are `flatten`", ("flatten",)),
    ("conv 8 3X3",): ("write sizes with a small x: `3x3`", ("conv 8 3x3",)),
    ("conv 8 3x3 -> relu",): ("a statement ends with `;`, or with its line", ("conv 8 3x3; relu",)),
    ("conv 8 3x3 padding='same'",): ("words stand without quotes: `same`", ("conv 8 3x3 same",)),
    ("add { conv 3 1x1, id }",): ("branches are parted by `|`", ("add { conv 3 1x1 | id }",)),
    ("AdaptiveAvgPool 1",): ("did you mean `gap`?", ("gap",)),
    ("block b(stride) { conv 8 3x3 stride 2 }; b 2",): (
        "a key takes its value behind `=`: `stride=2`",
        ("block b(stride) { conv 8 3x3 stride=2 }; b 2",)),
    ("relu; train { data cifar-10 }",): (
        "write `cifar10`; a folder or file stands in quotes", ("relu; train { data cifar10 }",)),
    ('relu; train { weights "a.pth" preprocess=imagenet-bicubic }',): (
        'a text with signs stands in quotes: `"imagenet-bicubic"`',
        ('relu; train { weights "a.pth" preprocess="imagenet-bicubic" }',)),
    ("relu; train { data cifar10, epochs 5 }",): (
        "a statement ends with `;`, or with its line", ("relu; train { data cifar10; epochs 5 }",)),
    ("relu; train { patience 5 }",): ("did you mean `stop`?", ("relu; train { stop 5 }",)),
    ("relu; train { early_stopping 5 }",): ("did you mean `stop`?", ("relu; train { stop 5 }",)),
    ("relu; train { shuffle }",): (
        "leave it out: the order of the pictures is new in every epoch", ("relu; train {  }",)),
}  # fmt: skip
TABLE: Table = SHAPES | MERGES | WORDS
