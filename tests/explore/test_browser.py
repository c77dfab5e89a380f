"""The page in a real browser: its numbers, links, bands, contributions, files, safety and accessibility."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.explore import write_explorer
from sdmodel.inference import quantiles_with_error, read_errors
from sdmodel.model import Model
from sdmodel.testing import model_text
from sdmodel.vensim import model_from_text

PROJECT = Path(__file__).resolve().parents[2]
FLAGSHIP = PROJECT / "models" / "ai_compute.mdl"
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
MEMBERS, CLOSE = 24, 1e-9
PHONE = (390, 844)

HOSTILE = "<img src=x onerror='window.hacked=1'>"
SCRIPT = "</script><script>window.hacked=1</script>"

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def flagship() -> Model:
    """The model that comes with sdmodel."""
    return sd.read_model(FLAGSHIP)


@pytest.fixture(scope="session")
def design(flagship: Model) -> Any:
    """Some members of its plausible constants."""
    return sd.make_design(flagship, sd.read_sampling(FLAGSHIP.with_suffix(".vsc")), count=MEMBERS)


@pytest.fixture(scope="session")
def page_file(flagship: Model, design: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flagship's page, with members, model errors and a stored run."""
    runs = {"power": sd.simulate(flagship, scenario=PROJECT / "models/scenarios/power-first.cin")}
    errors = read_errors(FLAGSHIP.with_suffix(".error.csv"))
    target = tmp_path_factory.mktemp("explore") / "flagship.html"
    return write_explorer(flagship, target, design=design, errors=errors, runs=runs)


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small model with levers, observations, scenarios, members and diagrams."""
    model = sd.read_model(PROJECT / "docs" / "examples" / "epidemic.mdl")
    design = sd.make_design(model, sd.read_sampling(PROJECT / "docs" / "examples" / "prior.vsc"), count=8)
    return write_explorer(model, tmp_path_factory.mktemp("explore") / "small.html", design=design)


def _series(page: Any, run: str = "now") -> dict[str, np.ndarray]:
    """The series of the headlines in the page, by name."""
    script = f"explorer.contents.headlines.map(({{output}}) => [explorer.nameOf(output), [...explorer.{run}.series(output)]])"
    return {name: np.array(values, dtype=float) for name, values in page.evaluate(script)}


def _assert_equal(found: dict[str, np.ndarray], run: Any) -> None:
    from sdmodel.dataset import find_variable

    assert len(found) > 1
    for name, values in found.items():
        native = find_variable(run, name).values
        assert np.abs(values - native).max() <= CLOSE * np.abs(native).max(), name


def _slider(page: Any, name: str) -> Any:
    place = page.evaluate("name => explorer.names.findCell(name)", name)
    return page.locator(f"#lever-{place}-slider")


def _settle(page: Any) -> None:
    """Wait until the page has drawn."""
    page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")


def _follow(page: Any) -> None:
    """Wait until what lags behind has followed: the address, and the start of work in the workers."""
    page.wait_for_timeout(300)


def _wait(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own way evaluates text in the page, which the page forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(condition)


def test_numbers_are_those_of_the_native_run(flagship: Model, page_file: Path, open_page: Open):
    """In the base, after a slider moves, after a switch is turned, and after the base is back."""
    page = open_page(page_file)
    _assert_equal(_series(page), sd.simulate(flagship))
    _slider(page, "chip supply multiplier").press("Home")
    _slider(page, "price elasticity").press("End")
    page.get_by_role("switch", name="funding stop").check()
    _settle(page)
    changes = {"chip supply multiplier": 0, "price elasticity": 1.8, "funding stop": 1}
    _assert_equal(_series(page), sd.simulate(flagship, changes))
    _assert_equal(_series(page, "base"), sd.simulate(flagship))
    assert page.locator("#changed li").count() == 3
    page.get_by_role("button", name="Reset all").click()
    _settle(page)
    _assert_equal(_series(page), sd.simulate(flagship))


def test_sliders_show_range_comment_and_typed_values(page_file: Path, open_page: Open):
    """A slider has base, range and plausible range; its comment opens on a tap; a number outside the range is marked."""
    page = open_page(page_file)
    lever = page.locator(".lever", has_text="hurdle rate").first
    assert "base 0.1 1/Year · range 0.02 to 0.6 · plausible 0.07 to 0.2" in lever.inner_text()
    lever.get_by_role("button", name="About hurdle rate").click()
    assert "Return that buyers demand" in lever.inner_text()
    number = lever.get_by_label("hurdle rate, as a number")
    number.fill("0.7")
    number.press("Enter")
    _settle(page)
    assert "outside" in (lever.get_attribute("class") or "")
    assert page.evaluate("[...explorer.changes.values()]") == [0.7]
    lever.get_by_role("button", name="Reset hurdle rate").click()
    _settle(page)
    assert page.evaluate("explorer.changes.size") == 0


def test_link_round_trip(page_file: Path, open_page: Open):
    """An address holds changes, pins and options; one of another version of the model gets a warning."""
    page = open_page(page_file)
    page.get_by_role("button", name="power-first", exact=True).click()
    page.get_by_role("button", name="Pin as A").click()
    _slider(page, "retrofit multiplier").press("ArrowRight")
    page.get_by_role("tab", name="Table").click()
    page.get_by_label("At", exact=True).fill("2026, 2028")
    page.get_by_label("At", exact=True).press("Enter")
    _follow(page)
    state = "JSON.stringify([[...explorer.changes], [...explorer.pins.A], explorer.pins.B, explorer.options])"
    address = page.evaluate("location.hash")
    again = open_page(page_file, address)
    assert again.evaluate(state) == page.evaluate(state)
    assert len(again.evaluate("[...explorer.changes]")) == 4
    assert again.locator("thead th").all_inner_texts()[2:] == ["2026", "from base", "2028", "from base"]
    other = open_page(page_file, "#m=0123456789ab&c=hurdle%20rate=0.2&c=gone=1")
    notice = other.locator("#notices").inner_text()
    assert "another version of the model" in notice
    assert "gone=1" in notice
    assert other.evaluate("[...explorer.changes.values()]") == [0.2]


def test_link_of_the_guide(flagship: Model, page_file: Path, open_page: Open):
    """It names constants of the model, and its run is the one that the guide describes."""
    guide = (PROJECT / "docs" / "guides" / "explore.md").read_text("utf-8")
    page = open_page(page_file, re.search(r"^#c=\S+$", guide, re.MULTILINE)[0])
    _settle(page)
    assert page.locator("#notices").inner_text() == ""
    changes = {"site construction time multiplier": 0.5, "on site power multiplier": 3}
    _assert_equal(_series(page), sd.simulate(flagship, changes))
    assert page.evaluate("explorer.referenceName") == "pinned run A"


def test_bands_are_the_quantiles_of_the_members(flagship: Model, design: Any, page_file: Path, open_page: Open):
    """With the model error where it is known; what the user changes has the user's value in every member."""
    page = open_page(page_file, "#c=chip%20supply%20multiplier=0.7")
    _wait(page, "document.querySelector('.bands p').textContent.includes('24 members')")
    _settle(page)
    constants = design.dataset()
    constants["chip supply multiplier"] = 0.7
    names = ["total ghost compute", "ChatGPT weekly users"]
    native = sd.simulate(flagship, constants, save=names)
    expected = quantiles_with_error(native, names, (0.05, 0.25, 0.5, 0.75, 0.95), FLAGSHIP)
    for name, title in zip(names, ("Ghost compute", "Weekly users of assistants"), strict=True):
        script = """([title, name]) => {
            const output = explorer.outputs.findIndex(({cell}) => cell === name);
            return [...views.charts.panels.find((panel) => panel.panel.title === title).bands.get(output)];
        }"""
        found = np.array(page.evaluate(script, [title, name])).reshape(5, -1)
        exact = expected[name].transpose("probability", "time").values
        assert np.abs(found - exact).max() <= 1e-9 * np.abs(exact).max()


def test_bands_come_without_workers_too(page_file: Path, open_page: Open):
    """A browser may refuse workers to a page that is a file; the page then does their work between two frames."""
    page = open_page(page_file, "#rank=Switches&tab=contributions", before="delete window.Worker")
    _wait(page, "views.contributions.ranked && views.charts.quantiles.size > 0 && views.charts.progress.hidden")
    assert page.locator("#view-contributions tbody").first.locator("tr").count() == 4


def test_contributions_add_up_to_the_total(flagship: Model, page_file: Path, open_page: Open):
    """Shapley values are those of the native attribution; every lever is ranked."""
    page = open_page(
        page_file,
        "#tab=contributions&on=total+ghost+compute&at=2028&c=chip%20supply%20multiplier=0.6&c=grid%20connection%20time%20multiplier=0.25&c=debt%20limit%20multiplier=0.5",
    )
    _wait(page, "views.contributions.found && views.contributions.ranked")
    script = """() => {
        const {found} = views.contributions;
        const at = (values) => [...views.contributions.part(values, found.outputs)];
        return [found.shapley.map(at), at(found.total)];
    }"""
    shapley, total = map(np.array, page.evaluate(script))
    assert np.abs(shapley.sum(axis=0) - total).max() < 1e-12 * np.abs(total).max() * 1e3
    changes = {"chip supply multiplier": 0.6, "grid connection time multiplier": 0.25, "debt limit multiplier": 0.5}
    runs = [
        sd.simulate(flagship, own, save=["total ghost compute"]).total_ghost_compute.values for own in (changes, {})
    ]
    assert np.abs(total - (runs[0] - runs[1])).max() < 1e-9 * np.abs(runs[1]).max()
    assert page.locator("#view-contributions tbody").nth(0).locator("tr").count() == 4
    assert page.locator("#view-contributions tbody").nth(1).locator("tr").count() == 16


def test_change_file_round_trip(flagship: Model, page_file: Path, open_page: Open, tmp_path: Path):
    """A saved change file means the same to sdmodel and to the page; what a page cannot set is named."""
    page = open_page(page_file)
    page.get_by_role("button", name="essay", exact=True).click()
    _settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save .cin").click()
    file = tmp_path / "mine.cin"
    download.value.save_as(file)
    _assert_equal(_series(page), sd.simulate(flagship, scenario=file))
    changes = page.evaluate("[...explorer.changes]")
    file.write_text(file.read_text("utf-8") + "nonsense = 1\n", "utf-8")
    page.get_by_role("button", name="Reset all").click()
    page.locator("input[type=file]").set_input_files(file)
    _wait(page, "explorer.changes.size > 0")
    _settle(page)
    assert page.evaluate("[...explorer.changes]") == changes
    assert "nonsense = 1" in page.locator("#notices").inner_text()


def test_downloads_of_a_panel(flagship: Model, page_file: Path, open_page: Open):
    """The numbers of a panel are those of the run; the picture is a file of its own."""
    page = open_page(page_file)
    with page.expect_download() as numbers:
        page.get_by_role("button", name="CSV of Order coverage").click()
    lines = Path(numbers.value.path()).read_text("utf-8").splitlines()
    assert lines[0].startswith("time,order coverage,order coverage (base)")
    native = sd.simulate(flagship, save=["order coverage"]).order_coverage
    assert np.allclose([float(line.split(",")[1]) for line in lines[1:]], native.values, rtol=1e-9)
    with page.expect_download() as picture:
        page.get_by_role("button", name="SVG of Order coverage").click()
    text = Path(picture.value.path()).read_text("utf-8")
    assert text.startswith("<svg")
    assert "Order coverage, Year" in text
    assert "var(" not in text


def test_crosshair_and_difference_view(page_file: Path, open_page: Open):
    """Arrow keys move the crosshair of all charts; the difference of the base from itself is 0 everywhere."""
    page = open_page(page_file)
    chart = page.locator("#view-charts svg.chart").first
    chart.press("Home")
    assert "at 2022" in (chart.get_attribute("aria-label") or "")
    assert page.locator("#view-charts .crosshair").count() > 1
    page.get_by_role("button", name="chip-glut", exact=True).click()
    page.get_by_label("Show", exact=True).select_option("change")
    _settle(page)
    assert "change from base" in page.locator("#view-charts .units").first.inner_text()
    shown = page.evaluate("views.charts.panels[0].lines().at(-2).series.at(-1)")
    base, now = (_series(page, run)["total ghost compute"][-1] for run in ("base", "now"))
    assert shown == pytest.approx(now - base)


def test_the_first_view_shows_several_variables(page_file: Path, open_page: Open):
    """Not the view of the settings, which has one."""
    page = open_page(page_file, "#tab=diagram")
    _settle(page)
    assert page.get_by_label("View", exact=True).input_value() == "Chips"


def test_diagram_and_card_of_a_variable(page_file: Path, open_page: Open):
    """A view is coloured by change; a click on a variable shows its equation, causes and uses, and leads to those."""
    page = open_page(page_file, "#tab=diagram&view=Chips&c=chip%20supply%20multiplier=0.6")
    _settle(page)
    shaded = page.evaluate(
        "[...document.querySelectorAll('.known .ground')].filter((node) => node.style.fillOpacity > 0).length"
    )
    assert shaded > 3
    page.get_by_label("Find a variable").fill("total ghost compute")
    page.get_by_label("Find a variable").press("Enter")
    card = page.get_by_role("region", name="Variable")
    assert "SUM(Ghost Compute Backlog[age!])" in card.inner_text()
    card.get_by_role("button", name="Ghost Compute Backlog", exact=True).click()
    _settle(page)
    assert "INTEG" in card.inner_text()
    card.get_by_role("button", name="Add to the charts").click()
    page.get_by_role("tab", name="Charts").click()
    _settle(page)
    assert "Ghost Compute Backlog" in page.locator("#view-charts .panel h3").all_inner_texts()


def test_texts_of_a_hostile_model_stay_text(open_page: Open, tmp_path: Path):
    """Names, units, comments, labels and scenarios with HTML and scripts are shown as they are."""
    equations = f"""
"{HOSTILE}" = INTEG(rate, 0)
	~	{SCRIPT}
	~	{SCRIPT} {HOSTILE}
	|
rate = 1
	~	<b>x</b> [0,2]
	~	{HOSTILE}
	|
"""
    model = model_from_text(model_text(equations), f"{HOSTILE}.mdl".replace("/", ""))
    scenario = sd.read_scenario(_written(tmp_path / "s.cin", f"{{{SCRIPT}}}\nrate = 2\n"))
    target = write_explorer(model, tmp_path / "hostile.html", scenarios={SCRIPT: scenario})
    page = open_page(target)
    for tab in ("Table", "By lever", "Diagram", "About"):
        page.get_by_role("tab", name=tab).click()
        _settle(page)
    page.get_by_role("button", name="</script>").click()
    page.evaluate("views.card.open(0)")
    _settle(page)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert "onerror" in page.locator("h1").inner_text()
    assert page.evaluate("explorer.now.series(0).at(-1)") == 20


def _written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_small_models_without_levers_headlines_or_sketch(open_page: Open, tmp_path: Path):
    """A model with nothing beside it gets sliders for its constants and charts of its stocks; even one that only counts."""
    small = model_from_text(model_text("Level = INTEG(rate, 0)\nrate = 1"), "small.mdl")
    page = open_page(write_explorer(small, tmp_path / "small.html"))
    assert page.locator(".lever").count() == 1
    assert page.locator("#view-charts .panel h3").all_inner_texts() == ["Level"]
    page.get_by_role("tab", name="By lever").click()
    _wait(page, "views.contributions.ranked")
    bare = model_from_text(model_text("clock = Time"), "bare.mdl")
    page = open_page(write_explorer(bare, tmp_path / "bare.html"))
    assert "no constants to change" in page.locator("#levers").inner_text()
    assert page.evaluate("explorer.now.series(explorer.subject).at(-1)") == 10


def test_a_run_that_fails_says_where(open_page: Open, tmp_path: Path):
    """A number that is not finite is named with its time; the page goes on."""
    model = model_from_text(model_text("Level = INTEG(1/rate, 0)\nrate = 1 ~~|".replace(" ~~|", "")), "failing.mdl")
    page = open_page(write_explorer(model, tmp_path / "failing.html"), "#c=rate%3D0")
    _settle(page)
    assert "is not finite from time" in page.locator("#notices").inner_text()
    page.get_by_role("button", name="Reset all").click()
    _settle(page)
    assert page.locator("#notices").inner_text() == ""


def test_phone(page_file: Path, open_page: Open):
    """On a phone nothing sticks out, and a chart stays above the levers."""
    page = open_page(page_file, "#tab=levers", size=PHONE, has_touch=True)
    for tab in ("Levers", "Charts", "Table", "By lever", "Diagram", "About"):
        page.get_by_role("tab", name=tab).click()
        _follow(page)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE[0], tab
        out = "[...document.querySelectorAll('main, main p, main .panel, main svg')].filter((one) => one.offsetParent && one.getBoundingClientRect().right > innerWidth).length"
        assert page.evaluate(out) == 0, tab
    page.get_by_role("tab", name="Levers").click()
    slider = _slider(page, "chip supply multiplier")
    slider.scroll_into_view_if_needed()
    slider.press("End")
    _settle(page)
    assert page.locator(".focus .chart").bounding_box()["y"] >= 0
    assert page.evaluate("[...explorer.changes.values()]") == [2.5]


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed; npm ci --prefix tests/explore")
@pytest.mark.parametrize(
    ("look", "tabs", "rules"),
    [
        ({}, ("Charts", "Table", "By lever", "Diagram", "About"), {}),
        ({"color_scheme": "dark"}, ("By lever", "Diagram"), {"runOnly": ["color-contrast"]}),
        ({"size": PHONE}, ("Levers",), {}),
    ],
    ids=["light", "dark", "phone"],
)
def test_accessibility(
    look: dict[str, Any], tabs: Sequence[str], rules: dict[str, Any], small_file: Path, open_page: Open
):
    """axe-core finds nothing in any view, contrast included."""
    page = open_page(small_file, "#c=distancing=0.3&variable=total_cases&pin=A", bypass_csp=True, **look)
    page.add_script_tag(path=str(AXE))
    for tab in tabs:
        page.get_by_role("tab", name=tab).click()
        _follow(page)
        found = page.evaluate("rules => axe.run(document, {resultTypes: ['violations'], ...rules})", rules)
        told = [(one["id"], [node["html"][:160] for node in one["nodes"]][:3]) for one in found["violations"]]
        assert not told, tab
