"""`python -m cnndsl`."""

from cnndsl.cli import main

main()
