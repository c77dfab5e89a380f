"""`sdmodel expand`: a model without subscripts, which Vensim PLE opens."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import StoreError
from ...files import write_file
from ...model import lay_out, without_subscripts
from ...vensim import mdl_text, model_from_text
from ..project import force_option, model_argument, model_path, model_read
from ..tables import note, patience

_FIRST = 5


@click.command("expand", epilog="Example: sdmodel expand -o ai_compute-ple.mdl")
@model_argument
@click.option("-o", "output", required=True, metavar="FILE.mdl", help="The file to write.")
@click.option("--no-layout", "bare", is_flag=True, help="Write no diagrams, which takes less time.")
@force_option
def command(model: str | None, output: str, *, bare: bool, force: bool) -> None:
    """Write a model in which every element of an array is a variable of its own, for programs without subscripts.

    `price[chat]` becomes `price chat`. Sums and their kin over a range are written out, macros too; units, ranges, comments
    and groups stay. The numbers are the same to the last digit. Diagrams are laid out anew, one for each group, in parts of at
    most sixty variables.
    """
    target = Path(output)
    if target.suffix.lower() != ".mdl":
        message = f"{target}: a Vensim model is written; choose a name that ends in .mdl"
        raise StoreError(message)
    path = model_path(model)
    with patience(f"writing {path.name} without subscripts"):
        scalars = without_subscripts(model_read(path))
        text = mdl_text(scalars.model, () if bare else lay_out(scalars.model))
        made = model_from_text(text, str(target))
        write_file(target, text.encode(), force=force, error=StoreError)
    if scalars.renamed:
        told = ", ".join(f"'{name}'" for name in scalars.renamed[:_FIRST])
        note(f"{len(scalars.renamed)} names are numbered, for others have them: {told}")
    click.echo(f"written to {target}: {len(made)} variables, none with subscripts")
