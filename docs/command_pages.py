"""A Sphinx extension: `sdmodel.cli.main` with every command loaded, in the order of `sdmodel --help`.

The command line loads the module of a command only when the command is called; sphinx-click reads the commands of a group
from its dictionary, so a group with all of them is made here.
"""

from __future__ import annotations

from typing import Any

import click

from sdmodel.cli import main as _lazy

with click.Context(_lazy) as _context:
    main = click.Group(
        "sdmodel",
        commands={name: _lazy.get_command(_context, name) for name in _lazy.commands},
        help=_lazy.help,
        epilog=_lazy.epilog,
        params=list(_lazy.params),
    )


def setup(app: Any) -> dict[str, bool]:
    """Register the extension; importing it is all that it does."""
    return {"parallel_read_safe": True}
