"""`sdmodel git-text`: a model as git shows it in a diff, equations in one layout and the sketch in a line a view."""

from __future__ import annotations

import click

from ...errors import ModelError
from ...files import read_bytes
from ...vensim import Document, compared_text


@click.command("git-text", hidden=True)
@click.argument("path")
def command(path: str) -> None:
    """Print the text of a model that git compares: equations in canonical form, each view of the sketch as one line.

    What cannot be read is printed as it is: git must be able to show that too.
    """
    content = read_bytes(path, error=ModelError)
    try:
        document = Document.from_bytes(content, path)
        content = compared_text(document).encode()
    except ModelError:
        pass
    click.echo(content, nl=False)
