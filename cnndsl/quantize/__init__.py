"""Smaller numbers for a compiled model: int8 and float16, each with a proof of what it costs."""
