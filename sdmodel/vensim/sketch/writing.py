"""Views as the lines of a sketch that Vensim opens, and that `read_sketch` reads back the same.

What the fields mean stands in Vensim's manual, "Sketch Information" (ref_sketch_format.html) and "Objects" (24305.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...model import Arrow, View, Word, quoted

_START = (
    "\\\\\\---/// Sketch information - do not modify anything except names",
    "V300  Do not put anything below this section - it will be ignored",
)
_END = "///---\\\\\\"
_STYLE = "$192-192-192,0,Arial|10||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|{0},{0},100,0"
_LONGEST = 30
"""Letters of a view's name."""
_SHADOW_LOOK = "0-0-0,0-0-0,|||128-128-128"
_PIPE, _TOWARDS, _BACKWARDS, _USUAL = 22, 4, 100, 64


def sketch_text(views: Sequence[View]) -> str:
    """The whole sketch, ended; without views an empty one, so that Vensim has a page to draw on."""
    lines = [line for view in views or (View("View 1"),) for line in _view(view)]
    return "\n".join([*lines, _END, ""])


def _view(view: View) -> Iterator[str]:
    yield from _START
    yield f"*{view.name[:_LONGEST]}"
    yield _STYLE.format(view.density)
    pipes: dict[int, list[Arrow]] = {}
    for arrow in view.arrows:
        if arrow.pipe:
            pipes.setdefault(arrow.source, []).append(arrow)
    for word in view.words:
        yield from map(_arrow, pipes.pop(word.number, []))  # a valve stands behind its pipes, and its name behind it
        yield _word(word)
    yield from (_arrow(arrow) for arrow in view.arrows if not arrow.pipe)


def _word(word: Word) -> str:
    """A word by its kind, at its place and in its size."""
    code, text, shape, bits, tail = _FIELDS[word.kind](word)
    place = f"{word.x},{word.y},{word.half_width},{word.half_height}"
    return f"{code},{word.number},{text},{place},{shape},{bits},0,{tail}"


def _variable(word: Word) -> tuple[int, str, int, int, str]:
    shape = 40 if word.attached else 3 if word.shape == "box" else 8
    if word.shadow:
        return 10, quoted(word.text), shape, 2, f"3,-1,0,0,0,{_SHADOW_LOOK}"
    return 10, quoted(word.text), shape, 3, "0,-1,0,0,0" if word.attached else "0,0,0,0,0"


_FIELDS = {
    "variable": _variable,
    "valve": lambda word: (11, "48", 33 if word.upright else 34, 3, "0,1,0,0,0"),
    "cloud": lambda _: (12, "48", 0, 3, "0,-1,0,0,0"),
}


def _arrow(arrow: Arrow) -> str:
    """A half of a flow, or an influence."""
    points = arrow.points or ((0, 0),)
    course = f"{len(points)}|" + "".join(f"({x},{y})|" for x, y in points)
    shape = (_TOWARDS if arrow.head else _BACKWARDS) if arrow.pipe else int(arrow.form == "arc")
    polarity = ord(arrow.polarity) if arrow.polarity else 0
    looks = f"{_PIPE},0,0" if arrow.pipe else f"0,0,{_USUAL}"
    initial = int(arrow.initial)
    return f"1,{arrow.number},{arrow.source},{arrow.target},{shape},0,{polarity},{looks},{initial},-1--1--1,,{course}"
