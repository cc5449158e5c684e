"""onnxruntime: sessions, devices, bindings."""
