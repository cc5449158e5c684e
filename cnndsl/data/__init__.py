"""Data sets as uint8 images N×C×H×W with their targets."""
