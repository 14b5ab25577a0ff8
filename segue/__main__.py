"""`python -m segue …`, what `bin/segue` hands over to."""

from segue.cli import main

main()
