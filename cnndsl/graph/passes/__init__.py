"""Passes over a tape: one file a pass."""
