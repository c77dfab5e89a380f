"""Help, messages, documents and names are in plain English: none has a turn or a word of these lists."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sdmodel.cli import main

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [
    *(PROJECT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "models/README.md")),
    *sorted(path for path in (PROJECT / "docs").rglob("*.md") if "_build" not in path.parts),
]
PACKAGE = sorted((PROJECT / "sdmodel").rglob("*.py"))
SCRIPTS = sorted(
    path for folder in ("models", "docs", "benchmarks", "fuzzing") for path in (PROJECT / folder).glob("*.py")
)

TURNS = {
    r"(?:told|tells?|untold)(?! (?:\w+ )?apart)": "report, print, list, say, show or return",
    r"(?<!there )(?:is|are|was|were) no (?!longer|more|less|better|worse|other|different)\w+": "is not a ...; there is no ...",
    r"so (?:many|much|few|long)(?! that\b)": "the number of ..., at most N ...",
    r"(?:a|an|one) (?:row|line|column|panel|colou?r|dimension|file|block|word|page|picture) an? \w+": "one ... per ...",
    r"what (?:is|are|was|were) (?:kept|made|drawn|wanted|asked)": "saved variables, the run, sampled constants",
    r"(?:and|or) no others?(?! \w)|and nothing (?:else|more)": "only ...",
    r"(?:hold|holds|held|holding)(?: \w+){0,3} against": "compare with",
    r"parts the|parted": "split, divide",
    r"spelt|worded": "written, named, equation text",
    r"per cents": "percentages",
    r"mend(?:s|ed|ing)?|unmended": "fix",
    r"wish(?:es|ed)?": "option, request",
    r"(?:of )?its user'?s?|of its author": "the user, given by the user",
    r"kin": "similar ...",
    r"anew|renew(?:s|ed|ing)?": "again",
    r"there(?:of|in|upon|from|fore was)|where(?:of|in|upon|fore)|here(?:of|in|upon|tofore)": "plain words",
    r"whence|thence|hither(?:to)?|whither|henceforth|forthwith|betwixt|amongst|whilst|lest|albeit|ere|unto|shall": "plain words",
}
"""Turns that readers stumble over, as whole words, with what to write instead."""

WORDS = {"each", "told", "tells", "spelt", "parted", "worded", "wish", "wishes", "dice", "workshop", "anew"}
"""Words that no name has."""

_TURN = re.compile(rf"\b(?:{'|'.join(f'(?:{turn})' for turn in TURNS)})\b", re.IGNORECASE)
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def turns(text: str) -> list[str]:
    """Find the turns of a text, each with the words around it."""
    flat = " ".join(text.split())
    return [
        f"{found[0]!r} in '...{flat[max(0, found.start() - 30) : found.end() + 30]}...'"
        for found in _TURN.finditer(flat)
    ]


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the paragraphs of a page with their first lines, without what quotes: tables made from a model, what to avoid."""
    line = 1
    text = re.sub(
        r"<!-- table: .*?<!-- end -->",
        lambda found: "\n" * found[0].count("\n"),
        page.read_text("utf-8"),
        flags=re.DOTALL,
    )
    for paragraph in text.split("\n\n"):
        if "| instead of | write |" not in paragraph:
            yield line, paragraph
        line += paragraph.count("\n") + 2


def written(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings, docstrings and comments of a module with their lines."""
    text = module.read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def names(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the names that a module defines with their lines, and its own."""
    yield 1, module.stem
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield a command and those below it, as words, the commands that git calls among them."""
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        hidden = () if words else ("git-text", "merge-file")
        for name in (*command.list_commands(context), *hidden):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*words, name))


def report(found: list[str]) -> str:
    """Make a message that lists what was found."""
    return "\n".join([f"{len(found)} places to rewrite:", *found])


def listed(paths: list[Path], read) -> list[str]:
    """List the turns in files."""
    return [
        f"{path.relative_to(PROJECT)}:{line}: {turn}"
        for path in paths
        for line, text in read(path)
        for turn in turns(text)
    ]


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(("sdmodel", *words))) for words in commands(main)])
def test_help_is_in_plain_english(words: tuple[str, ...]):
    """Every page of help."""
    help_page = CliRunner().invoke(main, [*words, "--help"])
    assert help_page.exit_code == 0
    found = turns(help_page.output)
    assert not found, report(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_documents_are_in_plain_english(page: Path):
    """Prose, tables, commands and the output that is shown."""
    found = listed([page], prose)
    assert not found, report(found)


def test_messages_docstrings_and_comments_of_the_package_are_in_plain_english():
    """Everything that is written between quotes or after a hash."""
    found = listed(PACKAGE, written)
    assert not found, report(found)


def test_scripts_are_in_plain_english():
    """The scripts beside the model, the documents and the benchmarks."""
    found = listed(SCRIPTS, written)
    assert not found, report(found)


@pytest.mark.parametrize("modules", [PACKAGE, SCRIPTS], ids=["package", "scripts"])
def test_names_say_what_they_name(modules: list[Path]):
    """A loop variable is named after the thing, a function after what it does."""
    found = [
        f"{module.relative_to(PROJECT)}:{line}: {name}"
        for module in modules
        for line, name in names(module)
        if WORDS & {part.lower() for part in _PARTS.findall(name)}
    ]
    assert not found, report(found)


@pytest.mark.parametrize(
    "text",
    [
        "What may be changed is told by `sdmodel levers`",
        "So many simulations instead of the file's",
        "X is no Y",
        "one panel a variable and one colour a run",
        "Print JSON and nothing else.",
        "the file is held against the last commit",
        "values are drawn anew",
    ],
)
def test_a_turn_is_found(text: str):
    """What the list is for."""
    assert turns(text)


@pytest.mark.parametrize(
    "text",
    [
        "There is no variable of this name; there are no runs yet",
        "it is no longer needed, and no more than 80 columns wide",
        "one row per rule, one file per run",
        "the run that is stored, and the error that is reported",
        "retold, intelligible, storytelling",
        "constants that are hard to tell apart; needs no network and no other file",
    ],
)
def test_plain_english_gives_no_false_alarm(text: str):
    """What the list is not for."""
    assert not turns(text)
