"""Models and sketches from their files: Vensim's text, or XMILE, told apart by the content."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import vensim
from .errors import Fault, ModelError
from .files import read_bytes
from .model import Model, Sketch, View, data_variables
from .scenario import TextChange, changed_texts
from .xmile import XMILE_ENDINGS, read_xmile_sketch
from .xmile import read_xmile as xmile_reading

PathLike = str | os.PathLike[str]
_OLD_STELLA = (
    "models of STELLA and iThink 9 and older are not read; open this one in a newer version, and save it as .stmx"
)
_OTHERS = {
    ".stm": _OLD_STELLA,
    ".itm": _OLD_STELLA,
    ".isdb": "these are runs that Stella stored; name the .stmx file of the model",
}
"""What is wrong with files of other formats that are near a model, by the ending of their names."""
OTHER_ENDINGS = tuple(_OTHERS)
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_model(
    path: PathLike | bytes,
    *,
    data: PathLike | Iterable[PathLike] = (),
    allow_files: Iterable[PathLike] = (),
    encoding: str | None = None,
    texts: Iterable[TextChange] = (),
    without_data: bool = False,
) -> Model:
    r"""Read a model from a Vensim `.mdl` file, or a file in XMILE (`.stmx`, `.xmile`, `.itmx`, `.xml`).

    Parameters
    ----------
    path : str, path or bytes
        The file: Vensim's text in UTF-8, UTF-16 or Latin-1, or XMILE 1.0, which its content shows. The bytes of such a file, and a text
        of more than one line, are read as the model itself, as by `model_from_text`.
    data : path or iterable of paths, optional
        Files with time series for the model's data variables (`.dat`, `.csv`, `.tab`); of a series in several files, the last
        one counts. Of models in XMILE, only those that Vensim exports have data variables.
    allow_files : iterable of paths, optional
        Folders outside of the model's own that the model may read workbooks and tables from.
    encoding : str, optional
        The encoding of a Vensim file, and of its data that is not in Unicode, such as "gbk", "shift_jis" or "cp1251". By default it
        is UTF-8, UTF-16 by a byte order mark, or that of Windows for Western languages; a model that cannot be read in these is read in
        Shift-JIS, Big5 or GBK if it can be. The model and its runs keep it.
    texts : iterable of TextChange, optional
        New texts of string variables (`name :IS: 'text'`), which may name the files that data is read from: the `texts` of
        `read_scenario`. Functions that take a scenario read the model again with its texts.
    without_data : bool, default False
        Whether to go on without files that cannot be read: `unread_files` of the model says what is wrong with them. Such a model can
        be checked and drawn, but not run.

    Returns
    -------
    Model
        The model's variables with their equations, units, ranges, comments and groups, and its subscript ranges.
        `model["price"]` is a variable; case, spaces and underscores in names do not matter.

    Raises
    ------
    ModelError
        If the file, or one that it reads data from, cannot be read; the error lists every fault of the file, in file order.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sdmodel import read_model
    >>> from sdmodel.testing import model_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "tank.mdl")
    ...     _ = path.write_text(model_text("Water = INTEG(-leak, 100)\nleak = 0.1 * Water"))
    ...     model = read_model(path)
    >>> [(variable.name, variable.kind) for variable in model if variable.group == ""]
    [('Water', 'stock'), ('leak', 'flow')]
    >>> model["leak"].equations[0].text
    '0.1 * Water'
    """
    given: dict[str, Any] = {"data": data, "allow_files": allow_files, "encoding": encoding, "texts": texts}
    given["without_data"] = without_data
    if isinstance(path, bytes) or (isinstance(path, str) and "\n" in path):
        return model_from_text(path, **given)
    if not isinstance(path, str | os.PathLike) or path == "":
        what = f"{type(path).__name__} is not a model file" if path != "" else "the path is empty"
        raise ModelError([Fault("read_model", f"{what}; give its path, its bytes or its text")])
    content = read_bytes(path, error=ModelError, wanted="the .mdl file")
    return model_from_text(content, os.fspath(path), **given)


def model_from_text(
    text: str | bytes,
    path: str = "model.mdl",
    *,
    data: PathLike | Iterable[PathLike] = (),
    allow_files: Iterable[PathLike] = (),
    encoding: str | None = None,
    texts: Iterable[TextChange] = (),
    without_data: bool = False,
) -> Model:
    r"""Read a model from the text of a Vensim `.mdl` file, or of a file in XMILE.

    Parameters
    ----------
    text : str or bytes
        The text, or the bytes of the file.
    path : str
        The name that faults give as their file. Workbooks and tables that the model reads are looked for beside it.
    data, allow_files, encoding, texts, without_data
        As for `read_model`; a text that is given as such has no encoding.

    Returns
    -------
    Model
        The model, as `read_model` returns it.

    Raises
    ------
    ModelError
        If the text is not a model; the error lists every fault, in the order of the text.

    Examples
    --------
    >>> from sdmodel import model_from_text
    >>> model = model_from_text("{UTF-8}\nx = 1 ~ m ~ |\nTIME STEP = 1 ~~| INITIAL TIME = 0 ~~| FINAL TIME = 1 ~~|")
    >>> model["x"].units
    'm'
    """
    if not isinstance(text, str | bytes):
        what = f"{type(text).__name__} is not a text; give the text or the bytes of a model, or its path to read_model"
        raise ModelError([Fault("model_from_text", what)])
    if (what := _OTHERS.get(Path(path).suffix.lower())) is not None:
        raise ModelError([Fault(path, what)])
    if isinstance(data, Mapping) or hasattr(data, "columns"):
        what = (
            f"{type(data).__name__} is not a file; give time courses from Python to with_data, or to simulate as data="
        )
        raise ModelError([Fault("data", what)])
    if is_xmile(text, path):
        _refuse_encoding(path, encoding)
        changed_texts({}, texts)
        model = _xmile_from_text(text, path, allow_files)
        files = [data] if isinstance(data, str | os.PathLike) else list(data)
        if files and not any(data_variables(model)):  # only Vensim's own export has some
            what = "the model has no data variables, as usual in XMILE; convert it with `sdmodel convert`, and declare them in the .mdl file"
            raise ModelError([Fault(path, what)])
        return vensim.with_data_files(model, files)
    return vensim.model_from_text(
        text, path, data=data, allow_files=allow_files, encoding=encoding, texts=texts, without_data=without_data
    )


def _refuse_encoding(path: str, encoding: str | None) -> None:
    if encoding is not None:
        what = f"a file in XMILE names its encoding itself, in its first line; leave out {encoding!r:.40}"
        raise ModelError([Fault(path, what)])


def read_xmile(path: PathLike) -> tuple[Model, tuple[str, ...]]:
    r"""Read a model in XMILE, with notes on what was left out or changed.

    Parameters
    ----------
    path : str or path-like
        The `.stmx`, `.xmile`, `.itmx` or `.xml` file (OASIS XMILE, version 1.0).

    Returns
    -------
    tuple[Model, tuple[str, ...]]
        The model, as `read_model` returns it, and the notes.

    Raises
    ------
    ModelError
        If the file cannot be read, or has what is not supported; the error lists every fault with its line.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> file = Path(tempfile.mkdtemp()) / "tea.stmx"
    >>> _ = file.write_text(sd.xmile_text(tiny_model("tea = INTEG(-cooling, 90)\ncooling = tea/10")).text)
    >>> model, notes = sd.read_xmile(file)
    >>> model["tea"].kind, notes
    ('stock', ())
    """
    model = _xmile_from_text(read_bytes(path, error=ModelError, wanted="the XMILE file"), os.fspath(path))
    return model, model.notes


def _xmile_from_text(text: str | bytes, path: str, allow_files: Iterable[PathLike] = ()) -> Model:
    """Return the model, which may be in several files: its own, and those of its modules."""
    folders = tuple(os.fspath(folder) for folder in allow_files)
    access = vensim.Access.of_model(path, folders, (), {})

    def open_file(name: str) -> tuple[str, bytes] | str:
        try:
            found = access.find(name)
            return os.fspath(found), access.content(found)
        except vensim.TableProblemError as problem:
            return str(problem)

    model = xmile_reading(_as_bytes(text), path, open_file)
    return replace(model, sources=tuple(access.read.values()), allow_files=folders)


def read_sketch(path: PathLike, *, encoding: str | None = None) -> Sketch:
    """Read the sketch of a model: its views, with their words and arrows.

    Faults of equations do not matter here: an element whose equation can be read has a kind, others have none.

    Parameters
    ----------
    path : str or path-like
        The `.mdl` file, or a file in XMILE.
    encoding : str, optional
        The encoding of a Vensim file, as for `read_model`.

    Returns
    -------
    Sketch
        The views in the order of the file, none if the file has no sketch, and the kind of each element
        (stock, flow, auxiliary, constant or lookup) by its key. Coordinates grow to the right and downwards,
        in units of which `View.density` make an inch.

    Raises
    ------
    ModelError
        If the file cannot be read, or lines of its sketch cannot be read; it has one fault for each line.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> file = Path(tempfile.mkdtemp()) / "tea.mdl"
    >>> model = tiny_model("tea = INTEG(-cooling, 90) ~~| cooling = tea/10 ~~|")
    >>> _ = file.write_text(sd.mdl_text(model, sd.lay_out(model)))
    >>> sketch = sd.read_sketch(file)
    >>> [word.text for word in sketch.views[0].words if word.kind == "variable"]
    ['tea', 'cooling']
    >>> sketch.kinds["cooling"]
    'flow'
    """
    content = read_bytes(path, error=ModelError, wanted="the .mdl file")
    if is_xmile(content, os.fspath(path)):
        _refuse_encoding(os.fspath(path), encoding)
        return read_xmile_sketch(content, os.fspath(path))
    return vensim.sketch_from_text(content, os.fspath(path), encoding=encoding)


def views_of_model(model: Model) -> tuple[View, ...]:
    """Return the views in the text of a model, or raise a ModelError if they cannot be read."""
    if is_xmile(model.text, model.path):
        return read_xmile_sketch(_as_bytes(model.text), model.path).views
    return vensim.views_of(vensim.Document.from_bytes(_as_bytes(model.text), model.path))


def is_xmile(text: str | bytes, path: str = "") -> bool:
    """Whether a file is in XMILE: its text begins with `<`, as no model of Vensim does, or its name says so."""
    start = text[:200].encode("utf-8", "replace") if isinstance(text, str) else text[:200]
    for mark in _MARKS:
        start = start.removeprefix(mark)
    begins = start.replace(b"\0", b"").lstrip()[:1] == b"<"
    return begins or Path(path).suffix.lower() in XMILE_ENDINGS


def _as_bytes(text: str | bytes) -> bytes:
    """Return a text as bytes; the encoding that an XML declaration names was that of the file."""
    if isinstance(text, bytes):
        return text
    head, mark, rest = text.partition("?>") if text.lstrip("\ufeff \t\r\n").startswith("<?xml") else ("", "", "")
    body = f'<?xml version="1.0" encoding="utf-8"?>{rest}' if mark and "encoding" in head else text
    return body.lstrip("\ufeff").encode("utf-8", "surrogatepass")
