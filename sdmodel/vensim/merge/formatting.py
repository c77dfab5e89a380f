"""A model's text in canonical form: one layout for all blocks, with the meaning, comments, sketch and settings kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ...errors import ModelError, Place
from ...model import key
from ..document import Document
from ..read.fields import comment_of, group_of, one_line, units_of
from ..read.grammar import SyntaxProblemError, parse
from ..read.segments import blanked, cut
from ..sketch.sheets import sheets_of
from .parts import Part, body_meaning, meaning_of, parts_of, tail_start, whole_text
from .pieces import LINE_END, Line, comments_in, filled, lines_of, unbroken, with_line_ends

_STARS = "*" * 56


def format_document(document: Document, *, by_group: bool = False) -> str:
    """The text of a document in canonical form; sketch and settings stay as they are, to the byte.

    Each block is the name with its operator, the expression on the next line, units, comment and mark below it, as Vensim
    writes them. Lines that the author broke stay broken; those that the width broke are broken anew. `by_group` brings
    the blocks of each group together under its first header, ranges first and then by name, as Vensim saves them.

    Raises
    ------
    ModelError
        If the text cannot be cut into blocks.
    """
    if document.problems:
        raise ModelError(document.faults)
    end = line_end(document)
    parts = parts_of(document)
    texts = [part_text(document, part, end) for part in (_grouped(document, parts) if by_group else parts)]
    head = "".join(_encoding(document, end))
    tail = document.text[tail_start(document) :]
    body = (end * 2).join(texts)
    return head + body + ((end * 2 if tail else end) if texts else "") + tail


def compared_text(document: Document) -> str:
    """The text of a document for a comparison by lines: equations in canonical form, each view of the sketch as one
    line that changes when the view does, and the settings; all with one line end, without what no eye sees.

    Raises
    ------
    ModelError
        If the text cannot be cut into blocks.
    """
    text, tail = format_document(document), len(document.text) - tail_start(document)
    equations = text[: len(text) - tail]
    lines = [f"*{sheet.name}: {len(sheet.records)} lines, {_stamp(sheet.text)}" for sheet in sheets_of(document)]
    others = ("graph", "setting")
    rest = [document.text[each.start : each.end].rstrip("\r\n") for each in document.segments if each.kind in others]
    return with_line_ends(equations, "\n") + "".join(f"{line}\n" for line in [*lines, *rest])


def _stamp(text: str) -> str:
    return hashlib.sha256(with_line_ends(text, "\n").encode("utf-8", "replace")).hexdigest()[:12]


def reformatted(document: Document) -> list[tuple[str, Place]]:
    """The names and places of the parts whose text a canonical form changes, in the order of the file."""
    end = line_end(document)
    parts = parts_of(document)
    changed = ((part, part_text(document, part, end) != whole_text(document, part)) for part in parts)
    return [(part.name, document.place(part.segment.start)) for part, differs in changed if differs]


def line_end(document: Document) -> str:
    """The line end that most lines of the equations have."""
    ends = Counter(LINE_END.findall(document.text[: tail_start(document)]))
    return max(("\n", "\r\n", "\r"), key=lambda each: ends[each])


def _encoding(document: Document, end: str) -> Iterator[str]:
    for segment in document.segments[:1]:
        if segment.kind == "encoding":
            text = document.text[segment.start : segment.end].strip()
            yield text + end if "{" in text else text


def part_text(document: Document, part: Part, end: str) -> str:
    """A part in canonical form; one whose form cannot be told without touching its meaning stays as it is."""
    whole = whole_text(document, part)
    if part.kind == "block" and part.statement is not None:
        text = _block(document, part, end)
        return text if _same_block(document, part, text) else whole
    if part.kind == "group":
        text = _group(document, part, end)
        return text if _same_group(document, part, text) else whole
    return with_line_ends(whole.strip(), end)


def _block(document: Document, part: Part, end: str) -> str:
    segment, statement = part.segment, part.statement
    assert statement is not None  # noqa: S101 - the caller asks for it
    units, comment = one_line(document.slice(segment.units)), document.slice(segment.comment)
    right = statement.right + (
        document.text[statement.right : statement.right + 1] == "(" and statement.kind == "lookup"
    )
    lines = [
        *_left(document.text[segment.main.start : right], end),
        *_right(document.text[right : segment.main.end], end),
        f"\t~\t{units}",
        _comment(comment, end, "\t~\t"),
    ]
    if mark := one_line(document.slice(segment.supplementary)):
        lines.append(f"\t~\t{mark}")
    return end.join([*lines, "\t|"])


def _left(text: str, end: str) -> Iterator[str]:
    """The name with its operator on one line, below the comments that stand before it."""
    lines = lines_of(text)
    ahead = 0
    while ahead < len(lines) - 1 and all(word.startswith("{") for word in lines[ahead].words):
        yield with_line_ends(" ".join(lines[ahead].words), end)
        ahead += 1
    name = " ".join(word for line in lines[ahead:] for word in line.words)
    for operator in ("==", "=", "(", ":"):
        if name.endswith(operator):
            before = name.removesuffix(operator).rstrip()
            blank = " " if operator[0] == "=" else ""
            name = f"{before}{blank}{operator}"
            break
    yield with_line_ends(name, end)


def _right(text: str, end: str) -> Iterator[str]:
    """The expression, an indented line for each that its author made; the first by one tab."""
    for number, line in enumerate(lines_of(text)):
        indent = "\t" * (max(1, line.depth) if number else 1)
        yield filled([with_line_ends(each, end) for each in unbroken(line.words)], end, indent=indent)


def _comment(text: str, end: str, first: str) -> str:
    """A comment behind the marks that begin its field, its lines filled."""
    lines = [Line(0, line.split()) for line in comment_of(text).split("\n")]
    return end.join(
        filled(line.words, end, indent="\t\t" if number else first) if line.words or not number else ""
        for number, line in enumerate(lines)
    )


def _group(document: Document, part: Part, end: str) -> str:
    segment = part.segment
    dot = "." if "." in document.slice(segment.main).replace("*", "").lstrip()[:1] else ""
    comment = document.slice(segment.comment)
    told = [_comment(comment, end, "\t\t")] if comment.strip() else []
    return end.join([_STARS, f"\t{dot}{part.name}", f"{_STARS}~", *told, "\t|"])


def _same_block(document: Document, part: Part, text: str) -> bool:
    """Whether a block's new text says what the old one does, comments included."""
    segments, problems = cut(text)
    if problems or len(segments) != 1 or segments[0].kind != "block":
        return False
    old, new = part.segment, segments[0]
    main, before = text[new.main.start : new.main.end], document.slice(old.main)
    fields = ((comment_of, old.comment, new.comment), (units_of, old.units, new.units))
    same = all(read(document.slice(was)) == read(text[now.start : now.end]) for read, was, now in fields)
    marks = document.slice(old.supplementary).strip(), text[new.supplementary.start : new.supplementary.end].strip()
    if not same or bool(marks[0]) != bool(marks[1]) or comments_in(main) != comments_in(before):
        return False
    if "".join(blanked(main).split()) != "".join(blanked(before).split()):
        return False
    try:
        tree = parse(blanked(main))
    except SyntaxProblemError:
        return False
    return body_meaning(str(tree.data), tree.children[1:]) == meaning_of(document, part)


def _same_group(document: Document, part: Part, text: str) -> bool:
    segments, problems = cut(text)
    if problems or len(segments) != 1 or segments[0].kind != "group":
        return False
    old, new = part.segment, segments[0]
    name, comment = text[new.main.start : new.main.end], text[new.comment.start : new.comment.end]
    return group_of(name) == part.name and comment_of(comment) == comment_of(document.slice(old.comment))


def _grouped(document: Document, parts: Iterable[Part]) -> Iterator[Part]:
    """The parts with those of each group together: macros first, then what has no group, then group by group."""
    macros: list[Part] = []
    chunks: dict[str, list[Part]] = {"": []}
    headers: dict[str, str] = {}
    chunk, inside = "", False
    for part in parts:
        inside = inside or part.kind == "macro"
        if inside:
            macros.append(part)
        elif part.kind == "group":
            chunk = _chunk(part.name, comment_of(document.slice(part.segment.comment)), headers)
            chunks.setdefault(chunk, [part])
        else:
            chunks[chunk].append(part)
        inside = inside and part.kind != "macro end"
    yield from macros
    for each in chunks.values():
        yield from _sorted(each)


def _chunk(name: str, comment: str, headers: dict[str, str]) -> str:
    """Which header the blocks below one go to: the first of that name, unless both have comments and they differ."""
    while name in headers and comment not in ("", headers[name]):
        name += "\n"
    headers.setdefault(name, comment)
    return name


def _sorted(chunk: Sequence[Part]) -> list[Part]:
    """A header, then ranges in their order, then variables by name; parts of one variable keep theirs."""
    headers = [part for part in chunk if part.kind == "group"]
    rest = [part for part in chunk if part.kind != "group"]
    return [*headers, *sorted(rest, key=lambda part: (part.kind == "text", not part.is_range, _place(part)))]


def _place(part: Part) -> str:
    return "" if part.is_range or part.kind == "text" else key(part.name)
