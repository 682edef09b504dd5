"""``python -m cli``."""

from cli.main import main

main(prog_name="python -m cli")
