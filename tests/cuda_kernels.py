"""What onnxruntime's CUDA provider computes: operators of ONNX by the types of their data.

From onnxruntime's docs/OperatorKernels.md at commit 001d12d, opsets 17 and 18. An operator that
stands here takes any of its types as data; indices are int32 or int64, shapes int64. Of `Where` and
`OneHot` the data are what is chosen from, of comparisons what is compared.
"""

FLOATS = frozenset({"float16", "float32", "float64"})
NUMBERS = FLOATS | {"int32", "int64", "uint32", "uint64"}
MORE = NUMBERS | {"int8", "int16", "uint8", "uint16"}
ALL = MORE | {"bool"}
BOOL = frozenset({"bool"})


def _rows(types: frozenset[str], operators: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys(operators.split(), types)


KERNELS = {
    **_rows(FLOATS, "ArgMax AveragePool BatchNormalization Ceil Conv ConvTranspose DepthToSpace"),
    **_rows(FLOATS, "Elu Erf Exp Floor Gemm GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish"),
    **_rows(FLOATS, "InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax"),
    **_rows(
        FLOATS, "MatMul PRelu Reciprocal ReduceLogSumExp ReduceSumSquare Relu Round Selu Sigmoid"
    ),
    **_rows(FLOATS, "Softmax Softplus Softsign SpaceToDepth Sqrt Sum Tanh ThresholdedRelu"),
    **_rows(FLOATS | {"bool"}, "Pad"),
    **_rows(FLOATS | {"int8", "uint8"}, "MaxPool"),
    **_rows(FLOATS | {"int32"}, "ReduceMean ReduceL1 ReduceL2 ReduceProd"),
    **_rows(FLOATS | {"int32", "int64"}, "Pow ReduceMax ReduceSum"),
    **_rows(FLOATS | {"int32", "uint8"}, "Resize"),
    **_rows(FLOATS | {"int8", "int16", "int32", "int64"}, "Neg"),
    **_rows(FLOATS | {"int64", "uint64", "int8", "uint8"}, "Clip"),
    **_rows(FLOATS | {"int32", "int64", "uint8"}, "Where"),
    **_rows(NUMBERS, "Greater GreaterOrEqual Less LessOrEqual Max Min Mod"),
    **_rows(NUMBERS | {"bool"}, "Equal"),
    **_rows(MORE, "Abs Add Div Mul Sign Sub"),
    **_rows(ALL, "Cast Concat Expand Flatten Gather Identity Reshape Slice Split Squeeze"),
    **_rows(ALL, "Transpose Unsqueeze"),
    **_rows(BOOL, "And Not Or"),
    **_rows(frozenset({"float16", "float32", "int64"}), "OneHot"),
}
DATA = {"Where": 1, "OneHot": 2}  # else the first input


def computed(operator: str, inputs: list[str]) -> bool:
    """Whether CUDA computes an operator of these input types."""
    return inputs[DATA.get(operator, 0)] in KERNELS.get(operator, ())
