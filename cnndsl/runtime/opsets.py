"""Operators of older opsets, by those that mean what they mean today."""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from onnx import ModelProto

_ASYMMETRIC = 10  # opset up to which no other enlargement is known
_STRING = 3  # AttributeProto.STRING


def opset_of(model: "ModelProto", default: int) -> int:
    """The version of ONNX's own operators; `default` where the model does not tell it."""
    known = (e.version for e in model.opset_import if e.domain in ("", "ai.onnx"))
    return next(known, default)


def converted(model: "ModelProto", opset: int) -> "ModelProto":
    """The model by operators of a later opset. onnx raises several unrelated types."""
    import onnx

    made = cast(Any, onnx).version_converter.convert_version(model, opset)
    return _with_origins(made) if opset_of(model, opset) <= _ASYMMETRIC else made


def _with_origins(model: "ModelProto") -> "ModelProto":
    """Enlargements that begin at the corner, as in old opsets: the conversion does not say it."""
    for node in (n for n in model.graph.node if n.op_type == "Resize"):
        for name, value in (("coordinate_transformation_mode", b"asymmetric"),
                            ("nearest_mode", b"floor")):  # fmt: skip
            if not any(a.name == name for a in node.attribute):
                node.attribute.add(name=name, s=value, type=_STRING)
    return model
