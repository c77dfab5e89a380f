"""`sdmodel fmt`: formats a named file in place; otherwise only checks."""

from __future__ import annotations

import json
from pathlib import Path

from sdmodel.vensim import format_document, read_document

MODEL = Path("models", "ai_compute.mdl")


def test_named_file_is_formatted_once(tea, sdmodel):
    """The second time nothing changes and the file is not touched."""
    expected = format_document(read_document(MODEL))
    done = sdmodel("fmt", str(MODEL))
    assert (done.exit_code, done.stdout) == (0, "")
    assert "blocks rewritten" in done.stderr
    assert MODEL.read_text("utf-8") == expected
    before = MODEL.stat().st_mtime_ns
    assert "is in standard form" in sdmodel("fmt", str(MODEL)).stderr
    assert MODEL.stat().st_mtime_ns == before


def test_default_model_is_only_checked(tea, sdmodel):
    """The project's model is never rewritten unless it is named."""
    text = MODEL.read_text("utf-8")
    assert sdmodel("fmt").exit_code == 2
    assert sdmodel("fmt", "--diff").exit_code == 0
    assert sdmodel("fmt", "--check").exit_code == 1
    assert MODEL.read_text("utf-8") == text


def test_check_lists_blocks_with_their_places(tea, sdmodel):
    """One line per block, like errors; JSON for programs."""
    sdmodel("fmt", str(MODEL))
    assert sdmodel("fmt", "--check").exit_code == 0
    text = MODEL.read_text("utf-8")
    MODEL.write_text(text.replace("cooling time =\n\t2.5", "cooling time = 2.5"), "utf-8")
    done = sdmodel("fmt", "--check")
    assert done.exit_code == 1
    line = text[: text.index("cooling time =\n")].count("\n") + 1
    assert done.stdout == f"{MODEL}:{line}:1: 'cooling time' has another layout\n"
    output = json.loads(sdmodel("fmt", "--check", "--json").stdout)
    assert output["blocks"] == [{"name": "cooling time", "place": f"{MODEL}:{line}:1"}]
    assert (output["differs"], output["written"]) == (True, False)
    diff = sdmodel("fmt", "--diff").stdout.splitlines()
    assert [line for line in diff[2:] if line[0] in "+-"] == ["-cooling time = 2.5", "+cooling time =", "+\t2.5"]


def test_groups_are_sorted_on_request(tea, sdmodel):
    """As Vensim saves them: by name inside each group."""
    sdmodel("fmt", str(MODEL), "--by-group")
    names = [block.main for block in read_document(MODEL).blocks]
    text = MODEL.read_text("utf-8")
    assert [text[span.start : span.end].split(" =")[0] for span in names] == [
        "heat loss", "Tea Temperature", "room temperature", "cooling time",
        "FINAL TIME", "INITIAL TIME", "SAVEPER", "TIME STEP",
    ]  # fmt: skip


def test_text_that_cannot_be_split_is_refused(tea, sdmodel):
    """Formatting half a file would lose the other half."""
    MODEL.write_text("a = 1 {~ ~|\n", "utf-8")
    done = sdmodel("fmt", str(MODEL))
    assert done.exit_code == 1
    assert "a comment in braces is not closed" in done.stderr
    assert MODEL.read_text("utf-8") == "a = 1 {~ ~|\n"
