"""The page as one file: its modules, styles and numbers put into one document that may fetch nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReportError
from ..files import page_path, write_file
from ..inference import MeasuredError
from ..model import Model, takes_model
from ..scenario import Design, Scenario
from ..simulation import compile_wasm
from .contents import Additions, page_contents

if TYPE_CHECKING:
    import xarray as xr

_MOST_BYTES = 8_000_000
"""A larger page is too large to send; browsers are slow to open it."""
_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./(\w+)\.js\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|const|let|class)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ExplorerPage:
    """The text of a page, and the scripts that it runs, as a content security policy names them."""

    text: str
    scripts: str


@takes_model
def write_explorer(
    model: Model,
    path: str | os.PathLike[str],
    *,
    on: Sequence[str] = (),
    scenarios: Mapping[str, Scenario] | None = None,
    design: Design | None = None,
    errors: Sequence[MeasuredError] = (),
    runs: Mapping[str, xr.Dataset] | None = None,
    force: bool = False,
) -> Path:
    r"""Write one HTML file that holds the model itself: open it anywhere, move a lever, see what changes.

    The file needs no network, server or installation. It has a slider for every lever, charts of the headline variables
    with observations, a table, the contributions of levers, the diagrams, and where every number comes from. The panels
    are those of `MODEL.figure.csv` beside the model, headline variables those of `MODEL.lst`, plausible ranges those of
    `MODEL.vsc`.

    Parameters
    ----------
    model : Model
        The model, as `read_model` returns it.
    path : str or path
        The file to write; its name ends in `.html` or `.htm`.
    on : sequence of str, optional
        The headline variables; by default those of the save list beside the model, else its stocks.
    scenarios : mapping of str to Scenario, optional
        Scenarios by name; by default the `.cin` files in the folder `scenarios` beside the model.
    design : Design, optional
        The members of an ensemble, as `make_design` returns them. The page runs them again at every change and draws bands.
    errors : sequence of MeasuredError, optional
        The errors of the model's forecasts, which the bands include.
    runs : mapping of str to xarray.Dataset, optional
        Stored runs by name, drawn as fixed lines.
    force : bool, default False
        Replace an existing file.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    ReportError
        If the name does not end in .html or .htm, the file exists and `force` is not given, it cannot be written, or the
        model is too large for a page.
    SdmodelError
        If a variable is not in the model, or the model cannot run.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Level = INTEG(rate, 0)\nrate = 1")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = sd.write_explorer(model, Path(folder) / "level.html")
    ...     page.name, page.read_text("utf-8").startswith("<!doctype html>")
    ('level.html', True)
    """
    target = page_path(path, force=force, error=ReportError)
    page = make_explorer(model, on=on, scenarios=scenarios, design=design, errors=errors, runs=runs)
    write_file(target, page.text.encode(), force=force, error=ReportError)
    return target


def make_explorer(
    model: Model,
    *,
    on: Sequence[str] = (),
    scenarios: Mapping[str, Scenario] | None = None,
    design: Design | None = None,
    errors: Sequence[MeasuredError] = (),
    runs: Mapping[str, xr.Dataset] | None = None,
) -> ExplorerPage:
    """Return the page that `write_explorer` writes.

    Raises
    ------
    ReportError
        If the model is too large for a page.
    SdmodelError
        If a variable is not in the model, or the model cannot run.
    """
    model = design.model(model, *(scenarios or {}).values()) if design else model
    shown = [element.name for element in model if not element.hidden and element.kind != "lookup"]
    module = compile_wasm(model, save=shown)
    contents = page_contents(model, module.description, Additions(on, scenarios, design, errors, runs))
    parts = {"contents": json.dumps(contents, ensure_ascii=False, allow_nan=False).encode(), "module": module.code}
    if design is not None:
        parts["members"] = _shuffled(design.values(0, design.count).T)
    page = _page(contents["model"]["name"], {name: _packed(part) for name, part in parts.items()})
    if len(page.text) > _MOST_BYTES:
        what = f"makes a page of {len(page.text) / 1e6:.0f} MB, more than the {_MOST_BYTES / 1e6:.0f} MB that can be shared"
        message = f"{model.path}: {what}; use fewer members, runs or subscripts"
        raise ReportError(message)
    return page


def _shuffled(values: np.ndarray[Any, Any]) -> bytes:
    """Return numbers of shape (members, inputs) with their first bytes first, then their second and so on, to pack better."""
    return np.ascontiguousarray(values, dtype="<f8").view(np.uint8).reshape(-1, 8).T.tobytes()


def _packed(part: bytes) -> str:
    """Return bytes compressed as text, in which no text of the model can look like HTML."""
    return base64.b64encode(zlib.compress(part, 9)).decode("ascii")


def _page(title: str, parts: Mapping[str, str]) -> ExplorerPage:
    """Return the whole document; only the scripts and styles with the right hashes may act, and nothing may be fetched."""
    script, worker, style = _bundle("app"), _bundle("worker"), _source("style.css")
    scripts = f"'{_digest(script)}' 'wasm-unsafe-eval'"
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            f"style-src '{_digest(style)}'",
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    data = "".join(f'<script type="text/plain" id="{name}">{text}</script>\n' for name, text in parts.items())
    fields = {
        "policy": html.escape(policy),
        "title": html.escape(f"{title} \N{EN DASH} explore"),
        "style": style,
        "data": data,
        "worker": _packed(worker.encode()),
        "script": script,
    }
    text = re.sub(r"\{\{(\w+)\}\}", lambda found: fields[found[1]], _source("page.html"))
    return ExplorerPage(text, scripts)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _bundle(name: str) -> str:
    """Return a module and those it imports as one script, each once and after what it needs."""
    sources = dict(_in_order(name, []))
    return "\n" + "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)).strip() for text in sources.values()) + "\n"


def _in_order(name: str, known: list[str]) -> Iterator[tuple[str, str]]:
    if name in known:
        return
    known.append(name)
    text = _source(f"scripts/{name}.js")
    for needed in _IMPORT.findall(text):
        yield from _in_order(needed, known)
    yield name, text


def _source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
