"""The command line: one thin module a command, imported when its command runs."""

from .group import main

__all__ = ["main"]
