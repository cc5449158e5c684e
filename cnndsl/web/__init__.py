"""Pages that run a model in the browser, with onnxruntime-web."""
