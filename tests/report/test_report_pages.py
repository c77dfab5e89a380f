"""Reports: one file that needs nothing else, whose numbers are those of the runs, and in which nothing of a run is markup."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from sdmodel.analysis import attribute_levers, attributed
from sdmodel.errors import DatasetError, ReportError
from sdmodel.report import Cells, Section, Text, page_text, report_on, write_report
from sdmodel.scenario import Distribution, Sampling, Scenario, Variation, make_design
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change

MODEL = tiny_model(
    """
    Stock = INTEG(a*b - Stock/c, 1)
    a = 1
    b = 2
    c = 5
    twice = 2*Stock
    """,
    final=4,
    step=0.5,
)


class Reader(HTMLParser):
    """What a browser sees: tags with their attributes, texts, and tags that are not closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(text):
    """A page as a browser reads it."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def runs():
    """Two runs, an attribution and an ensemble."""
    policy = Scenario(
        "policy", (read_change("a = 3"), read_change("b = 5")), text="{A <b>bold</b> policy.}\na = 3\nb = 5"
    )
    sampling = Sampling("latin hypercube", 30, 7, (Variation("c", (), Distribution("RANDOM_UNIFORM", (2.0, 8.0))),))
    drawn = make_design(MODEL, sampling)
    return {
        "base": simulate(MODEL),
        "policy": simulate(MODEL, scenario=policy),
        "levers": attribute_levers(MODEL, policy, save=["Stock", "twice"]),
        "many": simulate(MODEL, drawn.dataset(), save=["Stock", "c"]),
    }


def section(report, heading):
    """The section of that heading."""
    (found,) = (each for each in report.sections if each.heading == heading)
    return found


def tables(found):
    """The tables of a section."""
    return [part for part in found.parts if isinstance(part, Cells)]


def test_headlines_are_those_of_the_runs(runs):
    """Each value, and how far it is from the first run's, at each date."""
    report = report_on(runs, on=["twice"], at=[1, 4])
    first, last = tables(section(report, "Headlines"))
    assert (first.caption, last.caption) == ("At 1", "At 4")
    before, after = (float(runs[name]["twice"].sel(time=4)) for name in ("base", "policy"))
    assert last.rows == (("twice", "", f"{before:.4g}", f"{after:.4g}", f"+{100 * (after / before - 1):.0f} %"),)


def test_what_differs_is_told(runs):
    """The constants that were changed, and what they moved."""
    constants, gaps = tables(section(report_on(runs), "What differs"))
    assert constants.rows == (("a", "", "1", "3"), ("b", "", "2", "5"))
    assert {row[0] for row in gaps.rows} == {"Stock", "twice"}


def test_contributions_add_up(runs):
    """The last line of an attribution is the sum, where the difference is greatest."""
    (stock, _) = tables(section(report_on(runs), "Levers of levers"))
    part = attributed(runs["levers"], "Stock")
    whole = float((part.scenario - part.baseline).isel(time=-1))
    assert stock.caption.endswith("at 4, where the difference is greatest")
    assert stock.rows[-1][2] == f"+{whole:.4g}"
    assert stock.strong == {len(stock.rows) - 1}


def test_an_ensemble_is_told_by_its_middle(runs):
    """Median, and what nine in ten members reach."""
    (found,) = tables(section(report_on(runs, at=[4]), "Ensemble many"))
    low, mid, high = np.quantile(runs["many"]["stock"].sel(time=4), (0.05, 0.5, 0.95))
    assert found.rows[0] == ("Stock", "", f"{mid:.4g} ({low:.4g} – {high:.4g})")


def test_every_run_says_where_it_comes_from(runs):
    """With its hash and the text of its scenario, folded away."""
    report = report_on(runs)
    for name in runs:
        found = section(report, f"Where {name} comes from")
        assert found.folded
        assert ("model sha256", MODEL.sha256) in tables(found)[0].rows
    assert Text("{A <b>bold</b> policy.}\na = 3\nb = 5", code=True) in section(report, "Where policy comes from").parts


def test_the_page_needs_nothing_else_and_runs_nothing(runs, tmp_path):
    """No address but pictures that it holds itself, no script, and the browser is told to fetch nothing."""
    path = write_report(runs, tmp_path / "r.html")
    page = read(path.read_text("utf-8"))
    addresses = [
        value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href", "action", "data")
    ]
    assert addresses
    assert all(each.startswith(("data:image/svg+xml;base64,", "#part-")) for each in addresses)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert (
        "meta",
        {
            "http-equiv": "Content-Security-Policy",
            "content": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        },
    ) in page.tags
    assert not re.search(r"url\(|@import", path.read_text("utf-8"))


def test_what_stands_in_a_run_is_text_and_never_markup(runs, tmp_path):
    """Names, comments and scenarios are anybody's words."""
    hostile = "<script>alert(1)</script>"
    run = runs["base"].copy()
    run.attrs |= {"scenario": hostile, "model": f"{hostile}.mdl", "note": '"><img src=x onerror=alert(1)>'}
    page = read(write_report({hostile: run}, tmp_path / "r.html", on=["Stock"], title=hostile).read_text("utf-8"))
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "nav", "a", "main", "section", "h2", "div", "table", "caption",
        "thead", "tr", "th", "tbody", "td", "img", "details", "summary", "pre",
    }  # fmt: skip
    assert any(hostile in text for text in page.texts)
    assert all("onerror" not in attrs for _, attrs in page.tags)


def test_an_empty_page_is_still_a_page():
    """The template stands for itself."""
    from sdmodel.report import Report

    page = read(page_text(Report("T", "S", (Section("One", (Text("a & b"),)),))))
    assert "a & b" in page.texts


def test_the_same_runs_make_the_same_page(runs):
    """So that two versions of a report can be compared."""
    assert page_text(report_on(runs)) == page_text(report_on(runs))


def test_nothing_is_overwritten_unasked(runs, tmp_path):
    """A report may have been sent to somebody."""
    path = tmp_path / "r.html"
    path.write_text("mine", "utf-8")
    with pytest.raises(ReportError, match="exists already"):
        write_report(runs, path)
    assert path.read_text("utf-8") == "mine"
    write_report(runs, path, force=True)


REFUSED = {
    "no runs": (lambda _: write_report({}, "r.html"), ReportError, "no runs to report on"),
    "another ending": (lambda runs: write_report(runs, "r.pdf"), ReportError, "let it end in .html"),
    "no run": (lambda runs: write_report({"x": runs["base"].drop_attrs()}, "r.html"), DatasetError, "is not a run"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_makes_no_report_is_told(runs, what, tmp_path, monkeypatch):
    """With its cure, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    asked, kind, told = REFUSED[what]
    with pytest.raises(kind, match=told):
        asked(runs)
    assert not list(tmp_path.iterdir())


def test_without_jinja_the_cure_is_told(runs, monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ReportError, match=r'pip install "sdmodel\[report\]"'):
        page_text(report_on(runs))
