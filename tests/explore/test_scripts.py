"""The JavaScript of the page: its unit tests in Node, and its rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parents[1] / "sdmodel" / "explore" / "scripts"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="there is no Node.js")
def test_units_in_node():
    """Names, change files, addresses, statistics, axes and jobs, by Node's own test runner."""
    files = sorted(map(str, HERE.glob("*.test.js")))
    done = subprocess.run([str(NODE), "--test", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"# pass [1-9]", done.stdout)


def test_no_text_of_the_model_can_become_html():
    """Nothing in the scripts parses HTML, runs text as code, or fetches."""
    refused = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\bfetch\(|XMLHttpRequest"
    )
    found = {path.name: refused.findall(path.read_text("utf-8")) for path in SCRIPTS.glob("*.js")}
    assert len(found) > 10
    assert not any(found.values())


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.js")), ids=lambda path: path.name)
def test_modules_are_short_and_say_what_they_are_for(path: Path):
    """The same limits as for modules of Python."""
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 700
    assert lines[0].startswith("// ")
