"""Convolution: one file an algorithm, found by itself; `table` chooses among them."""
