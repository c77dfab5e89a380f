"""Reads a whole model from an `.mdl` file, or a single formula; reports every fault of a file in one error."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from sympy import Expr, S

from ...errors import Fault, FileFault, ModelError, ScenarioError
from ...files import multibyte_encodings, reading_as
from ...model import (
    ARRAY_FUNCTIONS,
    RUN_SETTING_KEYS,
    Model,
    Numbers,
    RealityCheck,
    Table,
    VensimFunction,
    data_variables,
    display_name,
    find_faults,
    is_reduction,
    walk,
)
from ...scenario import TextChange, changed_texts
from ..document import Document
from ..external.access import Access
from ..external.series import PathLike, series_in, with_data_files
from .elements import elements_of, expand
from .exogenous import exogenous_elements, undefined_names
from .grammar import SyntaxProblemError, parse
from .outside import is_data, repeated_data, texts_of
from .ranges import subscripts_of
from .segments import blank_comments
from .statements import ELEMENT_KINDS, Statement, read_statements
from .syntax import METHODS, calendar_of, comment_of, integration_method, one_line, synonyms_of, units_of
from .table import Token
from .translation import Names, Scope, read_expression

_MANY = 100_000
"""From this number of new objects on, a look at all of them is left out."""
_LEFT = "formula="
_IMPLIES = re.compile(r":IMPLIES:", re.IGNORECASE)


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
    r"""Read a model from the text of a Vensim `.mdl` file.

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
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    files = [data] if isinstance(data, str | os.PathLike) else list(data)

    def read(encoding: str | None) -> Model:
        with _without_collection(), reading_as(encoding):
            document = Document.from_bytes(content, path, encoding=None if isinstance(text, str) else encoding)
            model, faults = model_of(document, allow_files, files, texts)
            files_alone = without_data and all(isinstance(fault, FileFault) for fault in faults)
            if faults and not files_alone:
                raise ModelError(_once_a_file(faults))
            return with_data_files(replace(model, unread_files=tuple(_once_a_file(faults))), files)

    errors: list[ModelError] = []
    for tried in (encoding, *(() if encoding else multibyte_encodings(content))):
        try:
            return read(tried)
        except ModelError as error:  # signs with the bytes of marks are faults in any other encoding
            errors.append(error)
    raise min(errors, key=lambda error: len(error.faults))


def _once_a_file(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Yield faults; what is wrong with a file once, at the first equation that reads it."""
    counts = Counter(fault.what for fault in dict.fromkeys(faults) if isinstance(fault, FileFault))
    for fault in dict.fromkeys(faults):
        count = counts.pop(fault.what, 0) if isinstance(fault, FileFault) else 1
        if count > 1:
            what, mark, cure = fault.what.rpartition("; ")
            yield replace(fault, what=f"{what} (read in {count:,} places){mark}{cure}")
        elif count:
            yield fault


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for garbage: nearly all that is made stays, and each look takes longer than the one before.

    Python would look at all that is new at the end; what comes from a large model counts as old instead.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def model_of(
    document: Document,
    allow_files: Iterable[PathLike] = (),
    data: Sequence[PathLike] = (),
    texts: Iterable[TextChange] = (),
) -> tuple[Model, list[Fault]]:
    """Return the model of a document, as far as it can be read, and all faults: those of undefined names and the like
    only if every block can be read, since an unreadable block hides names.

    `allow_files` are folders that it may read data from, besides its own. A name that nothing defines is a data variable if one of
    the files `data`, or of those that the settings name, has its time series; the series themselves are not read. `texts` change its string variables.
    """
    allow_files = tuple(allow_files)
    settings = [document.text[part.start : part.end] for part in document.segments if part.kind == "setting"]
    found = read_statements(document)
    own_texts = MappingProxyType(changed_texts(texts_of(found.model), texts))
    access = Access.of_model(document.path, allow_files, settings, own_texts)
    ranges, range_faults = subscripts_of(document, found.model, found.unread, access)
    defining = list(_without_repeated_settings(found.model))
    keys = {statement.key for statement in defining}
    names = Names(document, keys | found.unread, ranges, found.macros, expand, access=access)
    times = (document.slice(one.segment.units) for one in defining if one.key == "initial_time")
    names.calendar = calendar_of(settings, units_of(next(times, ""))[0])
    names.data = frozenset(statement.key for statement in defining if is_data(statement))
    names.computed = frozenset(own.key for own in defining if own.kind == "data") - names.data
    names.repeated = repeated_data(defining, names)
    elements = elements_of(defining, names)
    series = access.series_files()
    whole = all(isinstance(fault, FileFault) for fault in names.faults)
    wanted = undefined_names(elements, names) if (series or data) and whole else {}
    if wanted:
        offered = series_in(series, required=False) | series_in(data)
        elements |= {own.key: own for own in exogenous_elements(names, wanted, offered)}
    method = integration_method(settings)
    model = Model(
        path=document.path,
        elements=MappingProxyType(elements),
        subscripts=MappingProxyType(ranges),
        groups=tuple(found.groups),
        synonyms=synonyms_of(settings),
        integrator=METHODS.get(method, "euler"),
        text=document.text,
        encoding=document.encoding,
        sha256=hashlib.sha256(bytes(document)).hexdigest(),
        sources=tuple(access.read.values()),
        texts=own_texts,
        allow_files=tuple(os.fspath(folder) for folder in allow_files),
        reality_checks=tuple(_reality_check(document, own) for own in found.model if own.is_reality_check),
    )
    if document.has_conflicts:  # whatever else is wrong comes from two versions of the same lines
        return model, list(document.faults)
    faults = [*found.faults, *range_faults, *names.faults]
    if method not in METHODS:
        where = next(
            part.start
            for part in document.segments
            if part.kind == "setting" and document.text.startswith("15:", part.start)
        )
        what = (
            f"the settings ask for integrator number {method:.40}, which is unknown; use one from 0 (Euler) to 5 (RK4)"
        )
        faults.append(Fault(document.place(where), what))
    if series and all(isinstance(fault, FileFault) for fault in faults) and any(data_variables(model)):
        try:
            model = with_data_files(model, series, required=False)
        except ModelError as error:
            faults += error.faults
    return model, faults if found.faults else [*faults, *names.doubts, *find_faults(model)]


def _without_repeated_settings(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Yield what defines elements, without times of a run that a file says twice in the same way, as Simlin's export does."""
    first: dict[str, Statement] = {}
    for own in statements:
        before = first.setdefault(own.key, own)
        if own.kind in ELEMENT_KINDS and (before is own or own.key not in RUN_SETTING_KEYS or before.body != own.body):
            yield own


def _reality_check(document: Document, statement: Statement) -> RealityCheck:
    """Return the record of a constraint or test input, whose texts are read when it is tested."""
    keyword, text = statement.body
    condition, *consequence = _IMPLIES.split(text, maxsplit=1)
    return RealityCheck(
        name=display_name(statement.name),
        kind="test input" if "TEST" in keyword.upper() else "constraint",
        condition=one_line(condition),
        consequence=one_line("".join(consequence)),
        subscripts=statement.subscripts,
        comment=comment_of(document.slice(statement.segment.comment)),
        place=document.place(statement.segment.start),
    )


def read_formula(text: str, where: str = "formula") -> Expr:
    """Read one formula over variables, such as a condition on the results of a run.

    Parameters
    ----------
    text : str
        An expression in Vensim's language. It may use arithmetic, comparisons, `:AND:`, `MIN` and other functions
        that depend on nothing but their arguments.
    where : str
        The name of the source in error messages, such as the option that the formula comes from.

    Returns
    -------
    sympy.Expr
        The expression; its symbols are the keys of variables (lower case, with underscores).

    Raises
    ------
    ScenarioError
        If the text is not an expression, or uses a function that needs a model (`INTEG`, `DELAY1`, `SUM`).

    Examples
    --------
    >>> from sdmodel import read_formula
    >>> formula = read_formula("Installed Power / 2 > 100 :AND: Time >= 2030")
    >>> sorted(str(symbol) for symbol in formula.free_symbols)
    ['installed_power', 'time']
    >>> read_formula("SMOOTH(price, 3)")
    Traceback (most recent call last):
    sdmodel.errors.ScenarioError: formula: 'SMOOTH(price, 3)': SMOOTH needs a model; add an auxiliary that uses it to the model, and name that
    """
    plain = blank_comments(" ".join(text.split()))
    if not plain.strip():
        raise ScenarioError([Fault(where, "the formula is empty; write one such as 'Stock > 5'")])
    try:
        tree = parse(_LEFT + plain)
    except SyntaxProblemError as error:
        raise ScenarioError([Fault(where, f"'{plain}': {error.problem.what}")]) from None
    left, _, *bodies = tree.children
    name = left if isinstance(left, Token) else left.children[0]
    names = Names(Document(where, plain, "utf-8"), set(), {}, MappingProxyType({}), lambda *_: S.Zero)
    expressions = [read_expression(body, Scope(names, -len(_LEFT)), name) for body in bodies]
    problems = [fault.what for fault in names.faults]
    if tree.data != "assignment" or len(expressions) != 1:
        problems.append("this is not an expression; write one such as 'Stock > 5'")
    for part in (part for expression in expressions for part in walk(expression)):
        if isinstance(part, Table | Numbers):
            problems.append("a formula cannot have a table or a list of numbers; use names and single numbers")
        elif is_reduction(part) or (isinstance(part, VensimFunction) and part.name not in ARRAY_FUNCTIONS):
            problems.append(f"{part.name} needs a model; add an auxiliary that uses it to the model, and name that")
    if problems:
        raise ScenarioError(dict.fromkeys(Fault(where, f"'{plain}': {problem}") for problem in problems))
    return expressions[0]
