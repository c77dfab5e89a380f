"""Reports: one self-contained file with the numbers of the runs, in which every text is escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from sdmodel.analysis import attribute_levers, contributions_to
from sdmodel.errors import DatasetError, ReportError
from sdmodel.report import Image, Paragraph, Report, Section, Table, build_report, render_html, write_report
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
    """A browser: collects tags with their attributes, texts, and tags that are not closed."""

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
    """Parse a page as a browser does, and check that every tag is closed."""
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
    design = make_design(MODEL, sampling)
    return {
        "base": simulate(MODEL),
        "policy": simulate(MODEL, scenario=policy),
        "levers": attribute_levers(MODEL, policy, save=["Stock", "twice"]),
        "many": simulate(MODEL, design.dataset(), save=["Stock", "c"]),
    }


@pytest.fixture(scope="module")
def report(runs):
    """The report on all runs, by default at time 2 and at the end, 4."""
    return build_report(runs)


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    """The text of the page about all runs."""
    return write_report(runs, tmp_path_factory.mktemp("report") / "r.html").read_text("utf-8")


def section(report, heading):
    (found,) = (section for section in report.sections if section.heading == heading)
    return found


def tables(section):
    return [part for part in section.parts if isinstance(part, Table)]


def test_headlines_show_values_and_differences(runs):
    """The value of each run, and its difference from the first run, at each time."""
    single = {name: runs[name] for name in ("base", "policy")}
    report = build_report(single, on=["twice"], at=[1, 4])
    first, last = tables(section(report, "Headlines"))
    assert (first.caption, last.caption) == ("At 1", "At 4")
    before, after = (float(run["twice"].sel(time=4)) for run in single.values())
    assert last.rows == (("twice", "", f"{before:.4g}", f"{after:.4g}", f"+{100 * (after / before - 1):.1f} %"),)


def test_differences_list_constants_and_variables(report):
    constants, variables = tables(section(report, "What differs"))
    assert constants.rows == (("a", "", "1", "3"), ("b", "", "2", "5"))
    assert {row[0] for row in variables.rows} == {"Stock", "twice"}


def test_contributions_add_up(report, runs):
    """The last row of an attribution is the sum, at the time of the largest difference."""
    (stock, _) = tables(section(report, "Levers of levers"))
    part = contributions_to(runs["levers"], "Stock")
    total = float((part.scenario - part.baseline).isel(time=-1))
    assert stock.caption == "Stock at 4"
    assert stock.rows[-1][2] == f"+{total:.4g}"
    assert stock.strong == {len(stock.rows) - 1}


def test_contributions_are_those_at_the_given_times(runs):
    """A table for each, of each variable."""
    report = build_report({"levers": runs["levers"]}, on=["Stock"], at=[1, 2.5])
    found = tables(section(report, "Levers of levers"))
    assert [table.caption for table in found] == ["Stock at 1", "Stock at 2.5"]
    part = contributions_to(runs["levers"], "Stock")
    for table, time in zip(found, (1, 2.5), strict=True):
        assert table.rows[-1][2] == f"{float((part.scenario - part.baseline).sel(time=time)):+.4g}"


def test_ensemble_shows_median_and_bands(report, runs):
    """Those that commands print, or the given ones."""
    (found,) = tables(section(report, "Ensemble many"))
    values = runs["many"]["stock"].sel(time=4)
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    assert found.columns[-1] == "4"
    assert found.rows[0][:2] == ("Stock", "")
    assert found.rows[0][-1] == f"{median:.4g}"
    assert [row[0] for row in found.rows[:3]] == ["Stock", "50 % of members", "90 % of members"]
    assert found.rows[2][-1] == f"{low:.4g} – {high:.4g}"
    (other,) = tables(section(build_report({"many": runs["many"]}, on=["Stock"], bands=[0.8]), "Ensemble many"))
    low, high = np.quantile(values, (0.1, 0.9))
    assert [row[-1] for row in other.rows] == [f"{median:.4g}", f"{low:.4g} – {high:.4g}"]


def test_every_run_has_a_folded_provenance(report, runs):
    """It shows the hash and the text of the scenario."""
    for name in runs:
        found = section(report, f"Where {name} comes from")
        assert found.folded
        assert ("model sha256", MODEL.sha256) in tables(found)[0].rows
    scenario = Paragraph("{A <b>bold</b> policy.}\na = 3\nb = 5", code=True)
    assert scenario in section(report, "Where policy comes from").parts


def test_page_is_self_contained_and_has_no_script(page):
    """Its only addresses are its own images and sections, and the browser is told to fetch nothing."""
    tags = read(page).tags
    addresses = [
        value for _, attrs in tags for name, value in attrs.items() if name in ("src", "href", "action", "data")
    ]
    assert addresses
    assert all(address.startswith(("data:image/svg+xml;base64,", "#part-")) for address in addresses)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in tags}
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": policy}) in tags
    assert not re.search(r"url\(|@import", page)


def test_panels_are_small_images_of_their_own(runs):
    """As wide as a phone, so that a browser stacks them; where the numbers come from stands below all of them."""
    single = {name: runs[name] for name in ("base", "policy")}
    (image,) = [part for part in section(build_report(single), "Headlines").parts if isinstance(part, Image)]
    assert len(image.sources) == len(image.figures) == 1
    assert all(figure.get_figwidth() < 4 for figure in image.figures)
    assert not image.wide
    assert any(note.startswith("policy: ") for note in image.notes)
    assert not image.figures[0].get_supxlabel()


def test_more_than_six_panels_are_folded(runs):
    """With their number."""
    figures = build_report(runs).sections[0].parts[0].figures
    page = render_html(Report("T", "S", (Section("One", (Image(figures * 8, "x"),)),)))
    assert "2 more panels" in page
    assert page.count("<img") == 8
    assert page.index("2 more panels") > page.index("panel 6") > 0


def test_bands_of_levers_are_in_the_page(runs):
    """An attribution over members has a panel for each lever, as the command plots."""
    design = make_design(
        MODEL, Sampling("latin hypercube", 5, 7, (Variation("c", (), Distribution("RANDOM_UNIFORM", (2.0, 8.0))),))
    )
    found = attribute_levers(
        MODEL, Scenario("p", (read_change("a = 3"), read_change("b = 5"))), save=["Stock"], design=design
    )
    (image,) = [
        part for part in section(build_report({"levers": found}), "Levers of levers").parts if isinstance(part, Image)
    ]
    (figure,) = image.figures
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Stock",
        "p minus baseline, by lever",
        "a",
        "b",
        "all together",
    ]


def test_texts_of_runs_are_escaped(runs, tmp_path):
    """Names, comments and scenarios may contain anything."""
    hostile = "<script>alert(1)</script>"
    run = runs["base"].copy()
    run.attrs |= {"scenario": hostile, "model": f"{hostile}.mdl", "note": '"><img src=x onerror=alert(1)>'}
    page = read(write_report({hostile: run}, tmp_path / "r.html", on=["Stock"], title=hostile).read_text("utf-8"))
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "nav", "a", "main", "section", "h2", "div", "table", "caption",
        "thead", "tr", "th", "tbody", "td", "img", "figure", "figcaption", "span", "details", "summary", "pre",
    }  # fmt: skip
    assert any(hostile in text for text in page.texts)
    assert all("onerror" not in attrs for _, attrs in page.tags)


def test_page_with_one_paragraph():
    page = read(render_html(Report("T", "S", (Section("One", (Paragraph("a & b"),)),))))
    assert "a & b" in page.texts


def test_same_runs_give_the_same_page(runs, page):
    assert render_html(build_report(runs)) == page


def test_existing_file_is_replaced_only_with_force(runs, tmp_path):
    path = tmp_path / "r.html"
    path.write_text("mine", "utf-8")
    base = {"base": runs["base"]}
    with pytest.raises(ReportError, match="exists already"):
        write_report(base, path)
    assert path.read_text("utf-8") == "mine"
    write_report(base, path, force=True)
    assert "Stock" in path.read_text("utf-8")


REFUSED = {
    "no runs": (lambda _: write_report({}, "r.html"), ReportError, "no runs to report on"),
    "another ending": (lambda runs: write_report(runs, "r.pdf"), ReportError, "let it end in .html"),
    "no run": (lambda runs: write_report({"x": runs["base"].drop_attrs()}, "r.html"), DatasetError, "is not a run"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_reports_are_refused(runs, case, tmp_path, monkeypatch):
    """Nothing is written."""
    monkeypatch.chdir(tmp_path)
    write, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        write(runs)
    assert not list(tmp_path.iterdir())
