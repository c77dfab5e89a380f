"""Run the command line with `python -m sdmodel`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="sdmodel")
