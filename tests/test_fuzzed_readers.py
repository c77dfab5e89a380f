"""Every reader of files takes any bytes: it returns, or raises an error of sdmodel that names the file, within ten seconds."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "fuzzing"))  # for `inputs`, a script beside the package

from inputs import Reader, Trial, fuzz, mutate, problem, readers

from sdmodel.errors import Fault, ScenarioError


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, ...]:
    """All readers, in this process."""
    return readers(tmp_path_factory.mktemp("fuzzing"))


@pytest.mark.filterwarnings("ignore:.*the change of the text 'name' is left out")
def test_the_inputs_to_change_are_valid(every: tuple[Reader, ...]):
    """A change of what a reader refuses anyway would test little."""
    for reader in every:
        for seed in reader.seeds:
            assert problem(reader, seed) == ""
            if reader.name != "formula":  # SUM needs a model
                reader.read(seed)


def test_changes_are_the_same_for_the_same_seed_and_differ_from_their_origin(every: tuple[Reader, ...]):
    """So that an input that shows a fault can be made again."""
    for reader in every:
        made = [mutate(reader, random.Random(number)) for number in range(20)]
        assert made == [mutate(reader, random.Random(number)) for number in range(20)]
        assert len(set(made) - set(reader.seeds)) > 10


@pytest.mark.parametrize(("count", "seed"), [(100, 5), pytest.param(1000, 1, marks=pytest.mark.nightly)])
def test_changed_files_give_an_error_with_a_place_or_none(count: int, seed: int):
    """No other exception, no end of the process, nothing that takes longer than ten seconds."""
    counts, found = fuzz(count, seed)
    assert found == []
    assert min(counts.values()) >= count // len(counts)


def test_a_faulty_reader_is_noticed():
    """What the test above looks for: another error, a message without a place, or none."""

    def failing(error: Exception) -> Reader:
        def read(_: bytes) -> None:
            raise error

        return Reader("failing", read, (b"",))

    assert "ZeroDivisionError" in problem(failing(ZeroDivisionError()), b"")
    assert "no place" in problem(failing(ScenarioError([Fault("", "it is wrong")])), b"")
    assert "empty message" in problem(failing(ScenarioError([])), b"")
    assert problem(failing(ScenarioError([Fault("fuzzed.cin:1:2", "it is wrong; correct it")])), b"") == ""


def test_a_process_that_ends_or_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """A file that ends the interpreter, or keeps it busy, is one problem, and the next input is tried."""
    with Trial() as trial:
        reader = trial.readers[0]
        assert trial.problem(reader, b"") == ""
        trial.process.kill()
        assert trial.problem(reader, b"") == "ends the process"
        assert trial.problem(reader, b"") == ""
        monkeypatch.setattr(sys.modules["inputs"], "SECONDS", 0.0)
        assert "takes longer" in trial.problem(reader, reader.seeds[0])


def test_a_fault_is_one_line_whatever_it_quotes():
    """Line breaks, separators and control characters of a file do not reach the terminal."""
    fault = Fault("a.csv:1:1", "'two\r\nlines\x0b\x1c\u2028\x1b[31mé' is not a number; write one")
    assert str(fault) == "a.csv:1:1: 'two  lines    [31mé' is not a number; write one"
