"""The tape, its operators, gradients and export: knows ONNX, knows no layer."""
