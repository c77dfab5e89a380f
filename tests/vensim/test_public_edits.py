"""Edits of every public model: undone to the byte, changing one block only, and readable afterwards, also by PySD."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from sdmodel.errors import ModelError
from sdmodel.model import Element, key, quote_name
from sdmodel.vensim import OpenDocument, open_document, sketch_from_text

CLOCK = {"initial_time", "final_time", "time_step", "saveper"}

Edit = Callable[[OpenDocument, Element], object]


def _models(shared: Path) -> Iterator[tuple[Path, OpenDocument, list[Element]]]:
    """Return every public model with the elements that its file defines."""
    for file in sorted((shared / "test-models").rglob("*.mdl")):
        opened = open_document(file)
        yield file, opened, _elements(opened)


def _comment(opened: OpenDocument, element: Element) -> None:
    opened[element.name].comment = f"{opened[element.name].comment} And a new sentence."


def _units(opened: OpenDocument, element: Element) -> None:
    opened[element.name].units = "furlong/fortnight"


def _range(opened: OpenDocument, element: Element) -> None:
    opened[element.name].range = (-1e6, None, 0.5) if element.range is None else None


def _group(opened: OpenDocument, element: Element) -> None:
    opened[element.name].group = "New group"


def _equation(opened: OpenDocument, element: Element) -> None:
    equation = opened[element.name].equation
    if element.kind not in ("stock", "lookup") and len(element.equations) == 1 and not set(",;") & set(equation):
        opened[element.name].equation = f"({equation})"


def _rename(opened: OpenDocument, element: Element) -> None:
    if element.key not in CLOCK:
        opened.rename(element.name, f"new {key(element.name)[:20].strip('_')}, renamed")


def _add(opened: OpenDocument, element: Element) -> str:
    name = f"added {len(opened.document.blocks)}"
    scalar = not element.dimensions and element.kind != "lookup"
    opened.add(name, f"2*{quote_name(element.name)} + 1" if scalar else "3", units="new", comment="Added.")
    return name


def _add_and_remove(opened: OpenDocument, element: Element) -> None:
    before = bytes(opened)
    opened.remove(_add(opened, element))
    assert bytes(opened) == before, (opened.path, element.name)


IN_ONE_BLOCK: tuple[Edit, ...] = (_comment, _units, _range, _equation)
EDITS: tuple[Edit, ...] = (*IN_ONE_BLOCK, _group, _rename, _add)
READING: tuple[Edit, ...] = (_rename, _add_and_remove)
"""Edits that read the edited model as a whole, which takes most of the time."""


def _check_edits(
    file: Path, opened: OpenDocument, elements: Sequence[Element], edits: Sequence[Edit], rng: random.Random
) -> None:
    """Check that each edit is undone to the byte, and that one of a field changes only lines of its block."""
    before = file.read_bytes()
    text = before.decode(opened.document.encoding)
    assert bytes(opened) == before
    for edit in edits if elements else ():
        element = rng.choice(elements)
        spans = [(segment.start, segment.end) for segment in opened[element.name].segments]
        edit(opened, element)
        if edit in IN_ONE_BLOCK:
            after = bytes(opened).decode(opened.document.encoding)
            first, last = _difference(text, after)
            assert any(start <= first and last <= end for start, end in spans) or text == after, (file, edit)
        while opened.undo():
            pass
        assert bytes(opened) == before, (file, edit, element.name)


def _difference(before: str, after: str) -> tuple[int, int]:
    """Return the first and the last offset of `before` at which another text differs."""
    shorter = min(len(before), len(after))
    first = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), shorter)
    most = shorter - first
    behind = next((n for n in range(most) if before[-n - 1] != after[-n - 1]), most)
    return first, len(before) - behind


@pytest.mark.slow
def test_edits_of_public_models_are_undone_to_the_byte(shared):
    """Every edit of a field and of a group in every file; a renaming or an added element in every other file."""
    rng = random.Random(1)
    for number, (file, opened, elements) in enumerate(_models(shared)):
        _check_edits(file, opened, elements, (*IN_ONE_BLOCK, _group, READING[number % 2]), rng)


@pytest.mark.nightly
def test_every_edit_of_every_public_model_is_undone_to_the_byte(shared):
    """All edits in all files."""
    rng = random.Random(2)
    for file, opened, elements in _models(shared):
        _check_edits(file, opened, elements, (*EDITS, _add_and_remove), rng)


def test_ten_edits_in_a_row_keep_public_models_readable(shared):
    """One file in eight: its faults stay the same, and its sketch can be read as before."""
    for file, opened, elements in islice(_models(shared), 0, None, 8):
        if elements:
            _check_ten_edits(file, opened, elements)


def _elements(opened: OpenDocument) -> list[Element]:
    return [element for element in opened.model if not element.hidden and element.name in opened]


def _check_ten_edits(file: Path, opened: OpenDocument, elements: list[Element]) -> None:
    rng = random.Random(file.name)
    for _ in range(10):
        edit = rng.choice(EDITS)
        edit(opened, rng.choice(elements))
        if edit in (_rename, _add):
            elements = _elements(opened)
    opened.check()
    assert _sketch_is_read(bytes(opened)) or not _sketch_is_read(file.read_bytes()), file


def _sketch_is_read(data: bytes) -> bool:
    try:
        sketch_from_text(data)
    except ModelError:
        return False
    return True


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_ten_edits_in_a_row_keep_every_public_model_readable_by_pysd(shared, tmp_path):
    """All files: our reader reads them, and where PySD could read the original it reads the edited file."""
    lost = []
    for file, opened, elements in _models(shared):
        folder = tmp_path / file.parent.name
        shutil.copytree(file.parent, folder, dirs_exist_ok=True)
        target = folder / file.name
        if elements:
            was_read = _pysd_reads(target)
            _check_ten_edits(file, opened, elements)
            target.unlink()
            opened.save(target)
            if was_read and not _pysd_reads(target):
                lost.append(file.name)
    assert not lost


def _pysd_reads(file: Path) -> bool:
    import pysd

    try:
        pysd.read_vensim(str(file))
    except Exception:  # noqa: BLE001 - PySD fails in many ways
        return False
    return True
