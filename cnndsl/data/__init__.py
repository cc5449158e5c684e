"""Data sets as uint8 pictures N×C×H×W with class numbers."""
