"""What other frameworks call things and how their calls read: Keras, PyTorch and others."""
