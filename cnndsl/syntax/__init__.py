"""Text to syntax tree: spans on everything, no word of the language known."""
