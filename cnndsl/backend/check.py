"""The last look at a graph before it is written."""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from onnx import ModelProto


def checked_bytes(model: "ModelProto") -> bytes:
    """The model's bytes, after onnx's checker with full shape inference; deterministic."""
    import onnx

    cast(Any, onnx.checker).check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
