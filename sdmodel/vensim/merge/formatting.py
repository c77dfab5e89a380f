"""The canonical form of a model's text: one layout for all blocks, with the same meaning, comments, sketch and settings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from ...errors import ModelError, Place, format_count
from ...model import key
from ..document import AnyDocument, Document
from ..edit.layout import fill_lines
from ..read.grammar import SyntaxProblemError, parse
from ..read.segments import Segment, blank_comments, split_segments
from ..read.statements import Statement
from ..read.syntax import LINE_END, comment_of, group_of, one_line, units_of
from ..sketch.views import view_texts
from .parts import Part, body_meaning, meaning_of, parts_of, tail_start, text_of_kind
from .tokens import Line, comments_in, join_names, split_lines, with_line_ends

_STARS = "*" * 56


def format_document(document: AnyDocument, *, by_group: bool = False) -> str:
    """Write a model in canonical form; sketch and settings stay as they are, to the byte.

    Each block is the name with its operator, the expression on the next line, then units, comment and mark on lines of their
    own, as Vensim writes them. The author's line breaks stay; lines that were only continued are filled again.

    Parameters
    ----------
    document : Document or OpenDocument
        The model, from `open_document`, or from `Document.from_bytes`.
    by_group : bool
        Also bring the blocks of each group together under its first header, subscript ranges first and then by name, as
        Vensim saves them.

    Returns
    -------
    str
        The text, with the line end that most lines of the equations have.

    Raises
    ------
    ModelError
        If the text cannot be split into blocks.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.vensim import Document
    >>> document = Document.from_bytes(b"a=1 ~ m ~ Length. |", "model.mdl")
    >>> print(sd.format_document(document).expandtabs(2), end="")
    a =
      1
      ~ m
      ~ Length.
      |
    """
    document = document.document
    if document.problems:
        raise ModelError(document.faults)
    end = usual_line_end(document)
    parts = parts_of(document)
    texts = [part_text(part, end) for part in (_grouped(parts) if by_group else parts)]
    tail = document.text[tail_start(document) :]
    head = text_of_kind(document, "encoding").strip()
    head += end if "{" in head else ""
    body = (end * 2).join(texts)
    return head + body + ((end * 2 if tail else end) if texts else "") + tail


def text_for_diff(document: Document) -> str:
    """Return the text of a document for a comparison by lines, as `git diff` makes it.

    It has the equations in canonical form, each view of the sketch as one line that changes when the view does, and the
    settings, all with one line end.

    Raises
    ------
    ModelError
        If the text cannot be split into blocks.
    """
    text, tail = format_document(document), len(document.text) - tail_start(document)
    equations = text[: len(text) - tail]
    lines: list[str] = []
    for view in view_texts(document):
        content = hashlib.sha256(with_line_ends(view.text, "\n").encode("utf-8", "replace")).hexdigest()[:12]
        lines.append(f"*{view.name}: {format_count(len(view.records), 'line')}, {content}")
    others = ("graph", "setting")
    rest = [document.text[line.start : line.end].rstrip("\r\n") for line in document.segments if line.kind in others]
    return with_line_ends(equations, "\n") + "".join(f"{line}\n" for line in [*lines, *rest])


def unformatted_parts(document: Document) -> list[tuple[str, Place]]:
    """Return the names and places of the parts that are not in canonical form, in the order of the file."""
    end = usual_line_end(document)
    return [(part.name, part.place) for part in parts_of(document) if part_text(part, end) != part.text]


def usual_line_end(document: Document) -> str:
    """Return the line end of most lines of the equations."""
    ends = Counter(LINE_END.findall(document.text[: tail_start(document)]))
    return max(("\n", "\r\n", "\r"), key=lambda end: ends[end])


def part_text(part: Part, end: str) -> str:
    """Return a part in canonical form, or as it is where that form would change its meaning."""
    if part.kind == "block" and part.statement is not None:
        text = _block(part, part.statement, end)
        return text if _same_block(part, text) else part.text
    if part.kind == "group":
        text = _group(part, end)
        return text if _same_group(part, text) else part.text
    return with_line_ends(part.text.strip(), end)


def _block(part: Part, statement: Statement, end: str) -> str:
    document, segment = part.document, part.segment
    right = statement.right
    if statement.kind == "lookup" and document.text[right : right + 1] == "(":
        right += 1
    lines = [
        *_left(document.text[segment.main.start : right], end),
        *_right(document.text[right : segment.main.end], end),
        f"\t~\t{one_line(document.slice(segment.units))}",
        _comment(document.slice(segment.comment), end, "\t~\t"),
    ]
    if mark := one_line(document.slice(segment.supplementary)):
        lines.append(f"\t~\t{mark}")
    return end.join([*lines, "\t|"])


def _left(text: str, end: str) -> Iterator[str]:
    """Write the name with its operator on one line, below the comments before it."""
    lines = split_lines(text)
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
    """Write the expression with the author's lines and their indentation; the first line has one tab."""
    for number, line in enumerate(split_lines(text)):
        indent = "\t" * (max(1, line.depth) if number else 1)
        yield fill_lines([with_line_ends(word, end) for word in join_names(line.words)], end, indent=indent)


def _comment(text: str, end: str, first: str) -> str:
    """Write a comment after the marks that begin its field, with its lines filled."""
    lines = [Line(0, line.split()) for line in comment_of(text).split("\n")]
    return end.join(
        fill_lines(line.words, end, indent="\t\t" if number else first) if line.words or not number else ""
        for number, line in enumerate(lines)
    )


def _group(part: Part, end: str) -> str:
    dot = "." if part.document.slice(part.segment.main).replace("*", "").lstrip().startswith(".") else ""
    comment = part.document.slice(part.segment.comment)
    lines = [_comment(comment, end, "\t\t")] if comment.strip() else []
    return end.join([_STARS, f"\t{dot}{part.name}", f"{_STARS}~", *lines, "\t|"])


def _only_segment(text: str, kind: str) -> Segment | None:
    """Return the segment that a text is, if it is one of a kind."""
    segments, problems = split_segments(text)
    return segments[0] if not problems and len(segments) == 1 and segments[0].kind == kind else None


def _same_block(part: Part, text: str) -> bool:
    """Whether a block's new text has the meaning of the old one, comments included."""
    document, old, new = part.document, part.segment, _only_segment(text, "block")
    if new is None:
        return False
    main, before = text[new.main.start : new.main.end], document.slice(old.main)
    fields = ((comment_of, old.comment, new.comment), (units_of, old.units, new.units))
    same = all(read(document.slice(was)) == read(text[now.start : now.end]) for read, was, now in fields)
    marks = document.slice(old.supplementary).strip(), text[new.supplementary.start : new.supplementary.end].strip()
    if not same or bool(marks[0]) != bool(marks[1]) or comments_in(main) != comments_in(before):
        return False
    if "".join(blank_comments(main).split()) != "".join(blank_comments(before).split()):
        return False
    try:
        tree = parse(blank_comments(main))
    except SyntaxProblemError:
        return False
    return body_meaning(str(tree.data), tree.children[1:]) == meaning_of(part)


def _same_group(part: Part, text: str) -> bool:
    new = _only_segment(text, "group")
    if new is None:
        return False
    name, comment = text[new.main.start : new.main.end], text[new.comment.start : new.comment.end]
    return group_of(name) == part.name and comment_of(comment) == comment_of(part.document.slice(part.segment.comment))


def _grouped(parts: Iterable[Part]) -> Iterator[Part]:
    """Return the parts with those of each group together: macros, then blocks without a group, then group by group.

    A group's section begins with the first header of its name; a header with another comment begins a section of its own.
    """
    sections: dict[str, list[Part]] = {"": []}
    comments: dict[str, str] = {}
    section, inside = "", False
    for part in parts:
        inside = inside or part.kind == "macro"
        if inside:
            yield part
        elif part.kind == "group":
            section, comment = part.name, comment_of(part.document.slice(part.segment.comment))
            while section in comments and comment not in ("", comments[section]):
                section += "\n"
            comments.setdefault(section, comment)
            sections.setdefault(section, [part])
        else:
            sections[section].append(part)
        inside = inside and part.kind != "macro end"
    for members in sections.values():
        yield from sorted(members, key=_position)


def _position(part: Part) -> tuple[bool, bool, bool, str]:
    """Return what sorts a section: header, subscript ranges in their order, variables by name, other text."""
    is_text, is_header = part.kind == "text", part.kind == "group"
    has_name = not (is_header or is_text or part.is_range)
    return not is_header, is_text, not part.is_range, key(part.name) if has_name else ""
