"""`sdmodel report`: one HTML page about stored runs."""

from __future__ import annotations

import contextlib

import pytest
from click.testing import CliRunner

from sdmodel.cli import main


@pytest.fixture(scope="module")
def stored(tmp_path_factory, tea_text):
    """A base run, a run in a cold room, and the attribution of its lever, in the working directory."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "models").mkdir()
    (folder / "models" / "ai_compute.mdl").write_text(tea_text, "utf-8")
    (folder / "cold.cin").write_text("{A cold room.}\nroom temperature = 50\n", "utf-8")
    with contextlib.chdir(folder):
        for words in (("run", "--name", "base"), ("run", "-c", "cold.cin"), ("attribute", "-c", "cold.cin")):
            assert CliRunner().invoke(main, words).exit_code == 0
        yield folder


def test_page_is_written_beside_the_runs(stored, sdmodel):
    """Named after the runs, with every section; replaced only with `--force`."""
    done = sdmodel("report", "base", "cold", "cold-levers", "--at", "2024")
    assert done.exit_code == 0, done.output
    page = (stored / "runs" / "base+cold+cold-levers.html").read_text("utf-8")
    for text in ("At 2024", "What differs", "Levers of cold-levers", "Where cold comes from", "A cold room."):
        assert text in page
    again = sdmodel("report", "base", "cold", "cold-levers")
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert sdmodel("report", "base", "cold", "cold-levers", "--force").exit_code == 0


REFUSED = {
    "an unknown run": (["report", "bas"], "did you mean 'base'"),
    "an unknown variable": (["report", "base", "--on", "Tee Temperature"], "did you mean 'Tea Temperature'"),
    "an unknown file type": (["report", "base", "-o", "x.pdf"], "let it end in .html"),
    "a date outside the run": (["report", "base", "--at", "1999"], "outside the run"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_report_errors_are_one_line(stored, sdmodel, case):
    """With the cure."""
    words, message = REFUSED[case]
    done = sdmodel(*words)
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
