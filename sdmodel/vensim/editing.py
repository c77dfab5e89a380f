"""A model's file opened to be edited: elements set, added, renamed and removed, and saved if the model still holds."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from pathlib import Path

from ..errors import Fault, ModelError, SdmodelError
from ..files import write_file
from ..model import Kind, Range, display
from .adding import Addition, added
from .blocks import Block
from .document import Document, read_document
from .heads import asked
from .reader import model_of
from .removing import without
from .renaming import Renaming, renamed, renaming


class OpenDocument:
    """A model's file while it is edited: only what must change does, all else keeps its bytes, order and line ends."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._saved = bytes(document)
        self._known: Counter[str] | None = None

    @classmethod
    def from_bytes(cls, data: bytes, path: str) -> OpenDocument:
        """What a file's bytes hold, to be edited.

        Raises
        ------
        ModelError
            If the bytes are empty or not text.
        """
        return cls(Document.from_bytes(data, path))

    @property
    def path(self) -> str:
        """The file from which it is read."""
        return self.document.path

    def __bytes__(self) -> bytes:
        return bytes(self.document)

    def __contains__(self, name: str) -> bool:
        return name in self.document

    def __getitem__(self, name: str) -> Block:
        """What defines a name, however it is spelt; of several blocks, `name[label]` is the one with that head."""
        self.document.find(name)
        return Block(self.document, name)

    def add(
        self,
        name: str,
        equation: str,
        *,
        kind: Kind | None = None,
        units: str = "",
        comment: str = "",
        range: Range | tuple[float | None, ...] | None = None,  # noqa: A002 - what Vensim calls it
        group: str | None = None,
        view: str | None = None,
        source: str = "",
        sink: str = "",
    ) -> str:
        """Adds an element; the name of the view in which it is drawn, with arrows from its causes, or nothing.

        A stock's equation may be its start alone. A flow drains its `source` and fills its `sink`, whose equations get it.
        Without a group it goes to the one of most of its causes, without a view to the one that shows most of them.

        Raises
        ------
        ModelError
            If the name is taken or not legal, the equation is not of that kind or cannot be read, or a stock, group or
            view is not there; nothing changes then.
        """
        wanted = Addition(
            name=name,
            equation=equation,
            kind=kind,
            units=units,
            comment=comment,
            range=range,
            group=group,
            view=view,
            source=source,
            sink=sink,
        )
        model, _ = model_of(self.document)
        found = added(self.document, model, wanted)
        self.document.change(found.edits, blocks=1, groups=found.groups)
        made = model_of(self.document)[0].elements.get(asked(name).key)
        if kind is not None and (made is None or made.kind != kind):
            self.undo()
            told = f"a {made.kind}" if made else "nothing that can be read"
            raise ModelError(
                [Fault(self.path, f"'{display(name)}' would be {told}, not a {kind}; write its equation so")]
            )
        return found.view

    def rename(self, old: str, new: str) -> Renaming:
        """Renames a variable, a subscript range or a label everywhere in the file; comments keep their words.

        Raises
        ------
        ModelError
            If there is no such name, the new one is not legal or taken, or something would mean another thing then.
        """
        change = renaming(self.document, old, new)
        before = _faults(self.document)
        self.document.change(renamed(self.document, change))
        after = _faults(self.document)
        news = [fault for fault in after if fault.what not in {each.what for each in before}]
        if len(after) != len(before):
            self.undo()
            raise ModelError(news)
        self._known = self.known + Counter(
            fault.what for fault in news
        )  # the faults that there were, by their new names
        return change

    def remove(self, name: str) -> None:
        """Removes an element that nothing uses, with its words and arrows in the sketch.

        Raises
        ------
        ModelError
            If there is no such name, or something uses it.
        """
        edits = without(self.document, name)
        self.document.change(edits, blocks=-len(self.document.find(name)))

    def undo(self) -> bool:
        """Takes the last edit back, to the byte; whether there was one."""
        return self.document.undo()

    @property
    def known(self) -> Counter[str]:
        """What was wrong with the file when it was read, which no edit need mend."""
        if self._known is None:
            self._known = Counter(each.what for each in _faults(Document.from_bytes(self._saved, self.path)))
        return self._known

    def check(self) -> None:
        """Makes sure that the model is as sound as it was when it was read.

        Raises
        ------
        ModelError
            With every fault that is new, and its place.
        """
        left = Counter(self.known)
        news = []
        for fault in _faults(self.document):
            left[fault.what] -= 1
            if left[fault.what] < 0:
                news.append(fault)
        if news:
            raise ModelError(news)

    def difference(self) -> str:
        """What is changed since the file was read or saved, line by line as a unified diff."""
        before, after = (data.decode(self.document.encoding) for data in (self._saved, bytes(self)))
        lines = difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), self.path, self.path
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def save(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> None:
        """Writes the file, all of it or nothing, if the model in it is sound; only `force` replaces another file.

        Raises
        ------
        ModelError
            If an edit has made a fault, the file was changed by somebody else meanwhile, or it cannot be written.
        """
        self.check()
        target = Path(self.path if path is None else path).resolve()
        is_own = target == Path(self.path).resolve()
        if is_own and target.is_file() and target.read_bytes() != self._saved:
            what = "the file has changed since it was read; open it again and repeat the edits"
            raise ModelError([Fault(str(target), what)])
        try:
            write_file(target, bytes(self), force=force or is_own, error=SdmodelError)
        except SdmodelError as error:
            raise ModelError([Fault("", str(error))]) from error
        if is_own:
            self._saved, self._known = bytes(self), None


def open_document(path: str | os.PathLike[str]) -> OpenDocument:
    """A model's file to edit.

    Raises
    ------
    ModelError
        If there is no such file, or it is not the text of a model.
    """
    return OpenDocument(read_document(path))


def _faults(document: Document) -> list[Fault]:
    return list(dict.fromkeys(model_of(document)[1]))
