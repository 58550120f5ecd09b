"""`python -m pipeline` is `dreamreel`."""

from pipeline.cli import main

main()
