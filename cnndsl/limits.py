"""The limits of the language, each named in its error (see docs/limits.md)."""

SPEC_BYTES = 256 * 1024
TOKENS = 40_000  # words, numbers and signs of one file
INCLUDE_DEPTH = 8
NESTING = 64
LAYERS = 10_000
STEPS = 30_000  # statements executed, so that empty blocks cannot run forever either
DIGITS = 10
NAME = 64  # characters
PARAMETERS = 2**29
ELEMENTS = 2**31 - 1  # of one activation, per sample
ERRORS = 100  # reported in one run
