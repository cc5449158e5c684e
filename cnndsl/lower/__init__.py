"""How an operator is computed on a device: layouts and algorithms, forward only.

A tape of ONNX's layer operators (Conv, MaxPool, BatchNormalization …) becomes a tape of primitives
in the layout [positions, batch, channels]; autodiff gives the backward pass of whatever was chosen.
"""
