"""A model's file opened to be edited: elements set, added, renamed and removed, and saved if the model still holds."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from pathlib import Path

from ...errors import Fault, ModelError, SdmodelError
from ...files import decoded, write_file
from ...model import Kind, Model, Range, display
from ..document import Document, read_document
from ..read.heads import asked, head_of
from ..read.reader import model_of
from ..read.segments import blanked
from .adding import Addition, added
from .blocks import Block
from .companions import beside, changed, write_together
from .removing import without
from .renaming import Renaming, renamed, renaming


class OpenDocument:
    """A model's file while it is edited: only what must change does, all else keeps its bytes, order and line ends."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._saved = bytes(document)
        self._known: Counter[str] | None = None
        self._latest: tuple[str, Model, list[Fault]] | None = None
        self._beside: list[tuple[int, Renaming]] = []

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

    @property
    def model(self) -> Model:
        """What the text says now, as far as it can be read."""
        return self._now()[0]

    @property
    def faults(self) -> list[Fault]:
        """All that is wrong with it now."""
        return self._now()[1]

    def _now(self) -> tuple[Model, list[Fault]]:
        if self._latest is None or self._latest[0] != self.document.text:
            self._latest = (self.document.text, *_read(self.document))
        return self._latest[1:]

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
        found = added(self.document, self.model, wanted)
        self.document.change(found.edits, blocks=1, groups=found.groups)
        made = self.model.elements.get(asked(name).key)
        if made is None or (kind not in (None, "flow") and made.kind != kind):
            self.undo()
            told = f"of kind {made.kind}, not {kind}" if made else "something that cannot be read"
            raise ModelError([Fault(self.path, f"'{display(name)}' would be {told}; write its equation so")])
        return found.view

    def rename(self, old: str, new: str, *, everywhere: bool = False) -> None:
        """Renames a variable, a subscript range or a label in the whole file; comments keep their words.

        `everywhere` are the files beside the model too, which are written when the model is saved: change and
        sensitivity files, save lists, observed series, figures, payoffs.

        Raises
        ------
        ModelError
            If there is no such name, the new one is not legal or taken, or something would mean another thing then.
        """
        change = renaming(self.document, self.model, old, new)
        before = self.faults
        self.document.change(renamed(self.document, change))
        after = self.faults
        news = [fault for fault in after if fault.what not in {each.what for each in before}]
        if len(after) != len(before):
            self.undo()
            raise ModelError(news)
        self._known = self.known + Counter(
            fault.what for fault in news
        )  # the faults that there were, by their new names
        if everywhere:
            self._beside.append((self.document.edits, change))

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
        done = self.document.undo()
        self._beside = [each for each in self._beside if each[0] <= self.document.edits]
        return done

    @property
    def known(self) -> Counter[str]:
        """What was wrong with the file when it was read, which no edit need mend."""
        if self._known is None and bytes(self) == self._saved:
            self._known = Counter(each.what for each in self.faults)
        elif self._known is None:
            self._known = Counter(each.what for each in _read(Document.from_bytes(self._saved, self.path))[1])
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
        for fault in self.faults:
            left[fault.what] -= 1
            if left[fault.what] < 0:
                news.append(fault)
        if news:
            raise ModelError(news)

    @property
    def companions(self) -> dict[Path, bytes]:
        """What the files beside the model hold after what was renamed in them too, as far as they change.

        Raises
        ------
        ModelError
            If one cannot be read, or cannot hold the new name.
        """
        changes = [change for _, change in self._beside]
        found = {path: changed(path, changes) for path in (beside(self.path) if changes else [])}
        return {path: data for path, data in found.items() if data is not None}

    def difference(self) -> str:
        """What saving will change, line by line as a unified diff, in the files beside the model too."""
        told = [_difference(self.path, self._saved, bytes(self))]
        told += [_difference(_shown(path), path.read_bytes(), data) for path, data in self.companions.items()]
        return "".join(told)

    def save(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> list[str]:
        """Writes what has changed, all of it or nothing, if the model is sound, and tells which files.

        The files beside the model are written with the model itself only; only `force` replaces another file.

        Raises
        ------
        ModelError
            If an edit has made a fault, the file was changed by somebody else meanwhile, or one cannot be written.
        """
        self.check()
        target = Path(self.path if path is None else path)
        if target.resolve() != Path(self.path).resolve():
            _write(target, bytes(self), force=force)
            return [os.fspath(target)]
        if not target.is_file():
            _write(target.resolve(), bytes(self), force=False)
        elif target.read_bytes() != self._saved:
            what = "the file has changed since it was read; open it again and repeat the edits"
            raise ModelError([Fault(self.path, what)])
        contents = self.companions if bytes(self) == self._saved else {target.resolve(): bytes(self)} | self.companions
        write_together(contents)
        self._saved, self._known, self._beside = bytes(self), None, []
        return [self.path if each == target.resolve() else _shown(each) for each in contents]


def open_document(path: str | os.PathLike[str]) -> OpenDocument:
    """A model's file to edit.

    Raises
    ------
    ModelError
        If there is no such file, or it is not the text of a model.
    """
    return OpenDocument(read_document(path))


def split_statement(text: str) -> tuple[str, str]:
    """The name and the equation of `name = equation`, or of a lookup `name((x,y),(x,y))`.

    Raises
    ------
    ModelError
        If it is neither.
    """
    head = head_of(blanked(text))
    name, equation = text[: head.operator.start].strip(), text[head.operator.end :].strip()
    if head.sign not in ("=", "(") or not name or not equation:
        what = "this is no equation; write 'name = equation', a name with odd characters in quotes"
        raise ModelError([Fault(f"'{' '.join(text.split())}'", what)])
    return name, equation


def _write(path: Path, data: bytes, *, force: bool) -> None:
    try:
        write_file(path, data, force=force, error=SdmodelError)
    except SdmodelError as error:
        raise ModelError([Fault("", str(error))]) from error


def _difference(name: str, before: bytes, after: bytes) -> str:
    old, new = (decoded(each).splitlines(keepends=True) for each in (before, after))
    told = difflib.unified_diff(old, new, name, name)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in told)


def _shown(path: Path) -> str:
    """A path as seen from the working directory, where it is inside it."""
    return os.fspath(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _read(document: Document) -> tuple[Model, list[Fault]]:
    model, faults = model_of(document)
    return model, list(dict.fromkeys(faults))
