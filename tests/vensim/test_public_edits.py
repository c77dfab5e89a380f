"""Every public model edited: undone to the byte, changed in one block alone, readable afterwards by us and by PySD."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from sdmodel.errors import ModelError
from sdmodel.model import Element, key
from sdmodel.vensim import OpenDocument, open_document, sketch_from_text
from sdmodel.vensim.files.spelling import quoted

CLOCK = {"initial_time", "final_time", "time_step", "saveper"}

Edit = Callable[[OpenDocument, Element], object]


def _models(shared: Path) -> Iterator[tuple[Path, OpenDocument, list[Element]]]:
    """Every public model with the elements that stand in its file."""
    for file in sorted((shared / "test-models").rglob("*.mdl")):
        opened = open_document(file)
        yield file, opened, [each for each in opened.model if not each.hidden and each.name in opened]


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
    opened.add(name, f"2*{quoted(element.name)} + 1" if scalar else "3", units="new", comment="Added.")
    return name


EDITS: tuple[Edit, ...] = (_comment, _units, _range, _group, _equation, _rename, _add)
IN_ONE_BLOCK: tuple[Edit, ...] = (_comment, _units, _range, _equation)


@pytest.mark.slow
def test_an_edit_of_any_public_model_is_undone_to_the_byte(shared):
    """Whatever is edited in whichever file; what is added is removed to the byte too, with word, arrows and ghosts."""
    dice = random.Random(1)
    for file, opened, elements in _models(shared):
        before = file.read_bytes()
        assert bytes(opened) == before
        for edit in EDITS if elements else ():
            element = dice.choice(elements)
            edit(opened, element)
            while opened.undo():
                pass
            assert bytes(opened) == before, (file, edit, element.name)
        if elements:
            opened.remove(_add(opened, dice.choice(elements)))
            assert bytes(opened) == before, file


def test_an_edit_of_a_field_differs_from_the_file_in_its_block_alone(shared):
    """The lines that change are those between where the block begins and where it ends."""
    dice = random.Random(2)
    for file, opened, elements in _models(shared):
        before = file.read_bytes().decode(opened.document.encoding)
        for edit in IN_ONE_BLOCK if elements else ():
            element = dice.choice(elements)
            spans = [(each.start, each.end) for each in opened[element.name].segments]
            edit(opened, element)
            after = bytes(opened).decode(opened.document.encoding)
            first, last = _difference(before, after)
            assert any(start <= first and last <= end for start, end in spans) or before == after, (file, edit)
            while opened.undo():
                pass


def _difference(before: str, after: str) -> tuple[int, int]:
    """The first and the last offset of `before` at which another text differs."""
    first = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    most = min(len(before), len(after)) - first
    behind = next((n for n in range(most) if before[-n - 1] != after[-n - 1]), most)
    return first, len(before) - behind


@pytest.mark.slow
def test_ten_edits_in_a_row_keep_public_models_readable(shared):
    """One in eight of them: what was wrong before is wrong in the same way, and the sketch is read as before."""
    for file, opened, elements in islice(_models(shared), 0, None, 8):
        if elements:
            _check_ten_edits(file, opened)


def _check_ten_edits(file: Path, opened: OpenDocument) -> None:
    _edit_ten_times(opened, random.Random(file.name))
    opened.check()
    assert _sketch_is_read(bytes(opened)) or not _sketch_is_read(file.read_bytes()), file


def _edit_ten_times(opened: OpenDocument, dice: random.Random) -> None:
    for _ in range(10):
        elements = [each for each in opened.model if not each.hidden and each.name in opened]
        dice.choice(EDITS)(opened, dice.choice(elements))


def _sketch_is_read(data: bytes) -> bool:
    try:
        sketch_from_text(data)
    except ModelError:
        return False
    return True


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_ten_edits_in_a_row_keep_every_public_model_readable_by_pysd(shared, tmp_path):
    """All of them by our reader, and where PySD could read the original it reads what it has become."""
    lost = []
    for file, opened, elements in _models(shared):
        folder = tmp_path / file.parent.name
        shutil.copytree(file.parent, folder, dirs_exist_ok=True)
        target = folder / file.name
        if elements:
            was_read = _pysd_reads(target)
            _check_ten_edits(file, opened)
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
