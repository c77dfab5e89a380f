"""A model file opened for editing: elements are set, added, renamed and removed, and saved if the model stays sound."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from pathlib import Path

from ...errors import Fault, ModelError
from ...files import decode_text, reading_as, replace_files, write_file
from ...model import Kind, Model, Range, display_name
from ..document import Document, read_document
from ..read.reader import model_of
from ..read.segments import blank_comments
from ..read.syntax import head_of, parse_name
from .blocks import Block
from .companions import find_companions, rename_in_file
from .elements import Addition, add_element, remove_element
from .names import Renaming, plan_renaming, rename_in_document


class OpenDocument:
    """A model file opened for editing: an edit changes only what it must; all else keeps its bytes, order and line ends.

    `document[name]` is the `Block` of a name: its `equation`, `units`, `range`, `comment` and `group` can be read and set.
    """

    def __init__(self, document: Document) -> None:
        if document.has_conflicts:
            raise ModelError(document.faults)
        self.document = document
        self._saved = bytes(document)
        self._known: Counter[str] | None = None
        self._readings: dict[str, tuple[Model, list[Fault]]] = {}
        self._renamings: list[tuple[int, Renaming]] = []

    @classmethod
    def from_bytes(cls, data: bytes, path: str, *, encoding: str | None = None) -> OpenDocument:
        """Open the bytes of a model file for editing, in an `encoding` as for `Document.from_bytes`.

        Raises
        ------
        ModelError
            If the bytes are empty or not text, or git left conflicts in it.
        """
        return cls(Document.from_bytes(data, path, encoding=encoding))

    @property
    def path(self) -> str:
        """The file that was opened."""
        return self.document.path

    def __bytes__(self) -> bytes:
        return bytes(self.document)

    def __contains__(self, name: str) -> bool:
        return name in self.document

    def __getitem__(self, name: str) -> Block:
        """Return the block of a name in any spelling; if there are several, `name[label]` selects one."""
        self.document.find(name)
        return Block(self.document, name)

    @property
    def model(self) -> Model:
        """The model in the text as it is now, as far as it can be read."""
        return self._read()[0]

    @property
    def faults(self) -> list[Fault]:
        """The faults of the text as it is now."""
        return self._read()[1]

    def _read(self) -> tuple[Model, list[Fault]]:
        """Read the text; the last two readings are kept, for an edit and its undoing."""
        text = self.document.text
        found = self._readings.pop(text, None)
        if found is None:
            model, faults = model_of(self.document)
            found = model, list(dict.fromkeys(faults))
        self._readings = {**dict(list(self._readings.items())[-1:]), text: found}
        return found

    def add(
        self,
        name: str,
        equation: str,
        *,
        kind: Kind | None = None,
        units: str = "",
        comment: str = "",
        range: Range | tuple[float | None, ...] | None = None,  # noqa: A002 - Vensim's word
        group: str | None = None,
        view: str | None = None,
        source: str = "",
        sink: str = "",
    ) -> str:
        """Add an element, and draw it in the sketch with arrows from its causes.

        Parameters
        ----------
        name : str
            A new name, with subscripts in brackets if it has some.
        equation : str
            The right-hand side; of a stock the initial value is enough, of a lookup the points `(x,y),(x,y)`.
        kind : str, optional
            `stock`, `flow`, `auxiliary`, `constant` or `lookup`; by default it follows from the equation.
        units, comment : str
            The other fields of the block.
        range : tuple of float, optional
            Minimum and maximum, perhaps a step; None for an open side.
        group : str, optional
            By default the group of most causes.
        view : str, optional
            By default the view that shows most of the causes.
        source, sink : str
            The stocks that a flow drains and fills; their equations change too.

        Returns
        -------
        str
            The name of the view that shows the element; empty if the file has no sketch.

        Raises
        ------
        ModelError
            If the name is taken or not allowed, the equation is of another kind or cannot be read, or a stock or view
            does not exist; nothing changes then.
        """
        addition = Addition(name, equation, kind, units, comment, range, group, view, source, sink)
        edits, groups, shown_in = add_element(self.document, self.model, addition)
        self.document.change(edits, blocks=1, groups=groups)
        element = self.model.elements.get(parse_name(name).key)
        if element is None or (kind not in (None, "flow") and element.kind != kind):
            self.undo()
            actual = f"would be of kind {element.kind}, not {kind}" if element else "could not be read"
            raise ModelError([Fault(self.path, f"'{display_name(name)}' {actual}; write its equation for that kind")])
        return shown_in

    def rename(self, old: str, new: str, *, everywhere: bool = False) -> None:
        """Rename a variable, a subscript range or a label in the whole file; comments stay as they are.

        With `everywhere`, saving the model also renames in the files next to it: change and sensitivity files, save
        lists, observed series, figures, payoffs.

        Raises
        ------
        ModelError
            If the name does not exist, the new one is taken or not allowed, or the meaning of something would change.
        """
        change = plan_renaming(self.document, self.model, old, new)
        before, known = self.faults, self.known
        self.document.change(rename_in_document(self.document, change))
        after = self.faults
        new_faults = [fault for fault in after if fault.what not in {old.what for old in before}]
        if len(after) != len(before):
            self.undo()
            used = f"'{new}' is used in the model already, where it is not defined; define it, or choose another name"
            raise ModelError(new_faults or [Fault(self.path, used)])
        self._known = known + Counter(fault.what for fault in new_faults)  # old faults that have the new name
        if everywhere:
            self._renamings.append((self.document.edits, change))

    def remove(self, name: str) -> None:
        """Remove an element that nothing uses, with its words and arrows in the sketch.

        Raises
        ------
        ModelError
            If the name does not exist, or something uses it.
        """
        edits = remove_element(self.document, name)
        self.document.change(edits, blocks=-len(self.document.find(name)))

    def undo(self) -> bool:
        """Take the last edit back, to the byte, and return whether there was one."""
        done = self.document.undo()
        self._renamings = [(edit, change) for edit, change in self._renamings if edit <= self.document.edits]
        return done

    @property
    def known(self) -> Counter[str]:
        """The faults that the file had when it was opened; they do not keep it from being saved."""
        if self._known is None:
            unchanged = bytes(self) == self._saved
            opened = (
                self if unchanged else OpenDocument.from_bytes(self._saved, self.path, encoding=self.document.encoding)
            )
            self._known = Counter(fault.what for fault in opened.faults)
        return self._known

    def check(self) -> None:
        """Check that the model has no faults that it did not have when it was opened.

        Raises
        ------
        ModelError
            With every new fault and its place.
        """
        left = Counter(self.known)
        new_faults = []
        for fault in self.faults:
            left[fault.what] -= 1
            if left[fault.what] < 0:
                new_faults.append(fault)
        if new_faults:
            raise ModelError(new_faults)

    @property
    def companions(self) -> dict[Path, tuple[bytes, bytes]]:
        """The old and the new bytes of the files next to the model that a renaming changes.

        Raises
        ------
        ModelError
            If a file cannot be read, or its encoding lacks a character of the new name.
        """
        changes = [change for _, change in self._renamings]
        with reading_as(None if self.document.encoding.startswith("utf") else self.document.encoding):
            found = {path: rename_in_file(path, changes) for path in (find_companions(self.path) if changes else [])}
        return {path: (old, new) for path, (old, new) in found.items() if old != new}

    def difference(self) -> str:
        """Return what saving changes, as a unified diff of the model and of the files next to it."""
        files = [(self.path, self._saved, bytes(self))]
        files += [(_short_path(path), *contents) for path, contents in self.companions.items()]
        lines: list[str] = []
        for name, *contents in files:
            with reading_as(self.document.encoding):
                old, new = (decode_text(data).splitlines(keepends=True) for data in contents)
            lines += difflib.unified_diff(old, new, name, name)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def save(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> list[str]:
        """Save the changes if the model is sound, all of them or nothing, and return the names of the written files.

        The files next to the model are only written together with the model itself.

        Parameters
        ----------
        path : str or path-like, optional
            Another file to write; by default the one that was opened.
        force : bool
            Replace another file that exists.

        Returns
        -------
        list of str
            The files that were written.

        Raises
        ------
        ModelError
            If an edit has caused a fault, the file was changed since it was opened, or a file cannot be written.
        """
        self.check()
        target, own = Path(self.path if path is None else path), Path(self.path).resolve()
        if target.resolve() != own:
            write_file(target, bytes(self), force=force, error=ModelError.from_text)
            return [os.fspath(target)]
        changes = {own: (self._saved if os.path.lexists(own) else None, bytes(self)), **self.companions}
        replace_files(changes, error=ModelError.from_text)
        self._saved, self._known, self._renamings = bytes(self), None, []
        return [self.path if file == own else _short_path(file) for file, (old, new) in changes.items() if old != new]


def open_document(path: str | os.PathLike[str], *, encoding: str | None = None) -> OpenDocument:
    """Open a Vensim model for editing: edits change only what they must, and every other byte of the file stays.

    Parameters
    ----------
    path : str or path-like
        The `.mdl` file.
    encoding : str, optional
        The encoding of the file, as for `read_model`; what is not edited keeps its bytes.

    Returns
    -------
    OpenDocument
        The open file. `document[name]` gives the equation, units, range, comment and group of an element, to read and to
        set; `add`, `rename`, `remove` and `undo` edit the model; `difference` shows the changes; `save` writes them.

    Raises
    ------
    ModelError
        If the file does not exist, or is not the text of a model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sdmodel as sd
    >>> from sdmodel.testing import model_text
    >>> file = Path(tempfile.mkdtemp()) / "tea.mdl"
    >>> _ = file.write_text(model_text("tea = INTEG(-tea/lifetime, 90) ~~| lifetime = 10 ~~|"))
    >>> document = sd.open_document(file)
    >>> document["lifetime"].equation = "12"
    >>> document["lifetime"].units = "Minute"
    >>> document.rename("lifetime", "cooling time")
    >>> print(document.difference())  # doctest: +ELLIPSIS
    --- ...
    -tea = INTEG(-tea/lifetime, 90) ~~| lifetime = 10 ~~|
    +tea = INTEG(-tea/cooling time, 90) ~~| cooling time = 12 ~ Minute ~|
    ...
    >>> len(document.save())
    1
    """
    return OpenDocument(read_document(path, encoding=encoding))


def split_statement(text: str) -> tuple[str, str]:
    """Split `name = equation`, or a lookup `name((x,y),(x,y))`, into its name and its equation.

    Raises
    ------
    ModelError
        If the text is neither.
    """
    head = head_of(blank_comments(text))
    name, equation = text[: head.operator.start].strip(), text[head.operator.end :].strip()
    if head.sign not in ("=", "(") or not name or not equation:
        what = "this is not an equation; write 'name = equation', a name with odd characters in quotes"
        raise ModelError([Fault(f"'{' '.join(text.split())}'", what)])
    return name, equation


def _short_path(path: Path) -> str:
    """Return a path relative to the working directory, if it is inside it."""
    return os.fspath(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
