"""Model to ONNX graphs."""
