"""Where files are: the model, its scenarios and save list, the folder of runs, and whether a file may be written."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import Complaint, Fault, FigureError, ModelError, ScenarioError, StoreError, list_some
from ..files import encoding_name, is_plain_file, misread_word, read_bytes, reading_as, recover
from ..model import Cell, Model, key, nearest, split_name
from ..reading import OTHER_ENDINGS, is_xmile, read_model
from ..scenario import TextChange
from ..xmile import XMILE_ENDINGS
from .project import MODEL, default_model, default_runs, project_root, relative

_MODEL_ENDINGS = frozenset({".mdl", ".txt", "", *XMILE_ENDINGS, *OTHER_ENDINGS})
"""What names of models end in; a pipe has no ending."""
_SHOWN = 8
_UNDEFINED = re.compile(r"'(.+)' is not defined; ")


def model_path(given: str | None) -> Path:
    """The given model, or the project's, or the one installed with the package; interrupted changes to it are undone."""
    path = _model_path(given)
    _recover(path.resolve().parent, ModelError.from_text)
    return path


def _model_path(given: str | None) -> Path:
    if given is not None:
        found = None if os.path.lexists(given) else _in_project(given, MODEL.parent, ".mdl")
        if found:
            raise ModelError([Fault(given, f"there is no such file; did you mean {found}?")])
        return Path(given)
    return default_model()


def scenario_path(given: str, model: Path) -> Path:
    """The given change file, with or without its ending; a bare name is also looked for beside the model."""
    return _file_of(model, given, "scenarios", ".cin")


def sampling_path(given: str, model: Path) -> Path:
    """The given sensitivity file, with or without its ending; a bare name is also looked for beside the model."""
    return _file_of(model, given, "ensembles", ".vsc")


def _file_of(model: Path, given: str, folder: str, suffix: str) -> Path:
    path = Path(given)
    if os.path.lexists(given) and not path.is_dir():
        return path
    places = (model.parent, model.parent / folder) if path.name == given else (path.parent,)
    stem = path.name.removesuffix(suffix)
    for place in places:
        if is_plain_file(place / f"{stem}{suffix}"):
            return place / f"{stem}{suffix}"
    known = sorted({file.stem for place in places for file in place.glob(f"*{suffix}")})
    close, cure = nearest(stem, known), "check the path"
    if near := _in_project(given, MODEL.parent / folder, suffix) or (close and path.parent / close):
        cure = f"did you mean {near}?"
    elif known:
        cure = f"choose from {', '.join(known[:_SHOWN])}{' ...' if len(known) > _SHOWN else ''}"
    raise ScenarioError([Fault(given, f"there is no such file; {cure}")])


def load_model(path: Path, texts: Iterable[TextChange] = (), *, without_data: bool = False) -> Model:
    """Read a model, with the data that `--data` and `--allow-files` name, and the texts that change files give its string variables.

    With `without_data`, files that cannot be read only lack, as for `read_model`.
    For a file that is not named like a model, the first fault is enough.
    """
    given = {name: _remembered(name, ()) for name in ("data", "allow_files")}
    if given_encoding() is None:
        _note_encoding(path)
    try:
        model = read_model(path, **given, encoding=given_encoding(), texts=texts, without_data=without_data)
    except ModelError as error:
        undefined = (_UNDEFINED.match(fault.what) for fault in error.faults)
        _note_data(path, {Cell(key(found[1])): found[1] for found in undefined if found})
        if path.suffix.lower() in _MODEL_ENDINGS or not path.is_file():
            raise
        first = error.faults[0].what.partition(";")[0]
        raise ModelError([Fault(str(path), f"not a Vensim model: {first}; name a .mdl file")]) from error
    if given_encoding() is None and model.encoding in {"cp932", "big5", "gbk"}:
        click.echo(f"{path}: it is read as {model.encoding}, since it cannot be read as Western text", err=True)
    if not without_data:
        from ..vensim import absent_series, lacking_data

        if lacking := lacking_data(model):
            _note_data(path, lacking, named=absent_series(model))
    if model.notes and _is_first("notes", path):
        for line in model.notes:
            click.echo(f"{path}: {line}", err=True)
    return model


def _note_data(path: Path, lacking: Mapping[Cell, str], named: Sequence[str] = ()) -> None:
    """Note once which files beside a model hold data that it lacks, else those that its settings name in vain.

    `lacking` are its cells with their names.
    """
    if not lacking or not is_plain_file(path) or not _is_first("lacking", path):
        return
    from ..vensim import data_beside

    names = {cell.key: split_name(name)[0] for cell, name in lacking.items()}
    found = []
    for own, cells in data_beside(path, lacking.keys()).items():
        share = _share({cell.key for cell in cells}, names)
        if own.suffix.lower().startswith(".xls"):
            found.append(f"{own} names {share}: save its sheet as .csv, with Time as the first heading, for --data")
        else:
            found.append(f"--data {shlex.quote(str(own))} has {share}")
    if named and not found:
        found = [f"its settings name {list_some(named)}, not here; put the file beside the model"]
    if found:
        what = f"'{next(iter(names.values()))}' has" if len(names) == 1 else f"{len(names):,} variables have"
        click.echo(f"{path}: {what} no data; {'; '.join(found)}", err=True)


def _share(held: Collection[str], names: Mapping[str, str]) -> str:
    """Which of the names a file holds."""
    if len(names) == 1:
        return "it"
    return f"'{names[next(iter(held))]}'" if len(held) == 1 else f"{len(held):,} of them"


def _is_first(what: str, path: Path) -> bool:
    """Whether something about a file is asked for the first time in a command."""
    context = click.get_current_context(silent=True)
    seen: set[Path] = set() if context is None else context.meta.setdefault(f"{__name__}.{what}", set())
    is_first = path not in seen
    seen.add(path)
    return is_first


def _note_encoding(path: Path) -> None:
    """Note once that the encoding of a model seems to be neither UTF-8 nor that of Windows for Western languages."""
    if not _is_first("encoding", path) or not is_plain_file(path):  # a pipe can be read only once
        return
    content = read_bytes(path, error=ModelError)
    if not is_xmile(content, str(path)) and (word := misread_word(content)):
        shown = "".join(sign if sign.isprintable() else "?" for sign in word[:_SHOWN])
        what = f"the text is not in UTF-8, and '{shown}' looks like another encoding, such as GBK or Shift-JIS"
        cure = "name it, as with --encoding gbk, or convert the file to UTF-8, as with `iconv -f GBK -t UTF-8`"
        click.echo(f"{path}: {what}; {cure}", err=True)


def remember_files(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    """Keep the value of an option for `load_model`, which many commands reach in their own ways."""
    context.meta[f"{__name__}.{parameter.name}"] = value


def remember_encoding(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Keep the encoding of the model of a command for `given_encoding`; other files that are not in Unicode are read in it too."""
    if value is not None:
        context.meta[f"{__name__}.named"] = encoding_name(value, error=ModelError, where="--encoding")
        context.with_resource(reading_as(value))


def given_encoding() -> str | None:
    """The encoding of the model that `--encoding` names."""
    return _remembered("named", None)


def data_files() -> list[Path]:
    """The files that `--data` names."""
    return list(map(Path, _remembered("data", ())))


def _remembered(name: str, default: Any) -> Any:
    context = click.get_current_context(silent=True)
    return default if context is None else context.meta.get(f"{__name__}.{name}", default)


def runs_folder(given: str | None) -> Path:
    """The given folder of runs, or the project's, or `runs` in the working directory; interrupted work in it is undone."""
    if given is not None and "://" in given:
        message = f"--runs: {given} is an address, and not a folder of this machine; only `ensemble` stores at one, its --name"
        raise StoreError(message)
    folder = default_runs() if given is None else Path(given)
    _recover(folder, StoreError)
    return folder


def _recover(folder: Path, error: Complaint) -> None:
    """Undo what processes that were killed have left half done."""
    for path in recover(folder, error=error):
        click.echo(f"{relative(path)}: has its old content again, since changing it was interrupted", err=True)


def check_not_there(
    paths: Iterable[Path], *, force: bool, cure: str = "name another with -o", error: Complaint = FigureError
) -> None:
    """Refuse to overwrite files, before any work is done."""
    for path in paths:
        if os.path.lexists(path) and not force:
            message = f"{path}: exists already; {cure}, or --force to replace it"
            raise error(message)


def _in_project(given: str, folder: Path, suffix: str) -> Path | None:
    """The file of that name in a folder of the project, if there is one."""
    root = project_root()
    path = None if root is None else root / folder / (Path(given).name.removesuffix(suffix) + suffix)
    return relative(path) if path and is_plain_file(path) else None
