"""Measures the page of `sdmodel explore` in Chromium and prints a table: `python benchmarks/explorer.py [MODEL]`.

It needs Playwright and Chromium, as the tests of the page do.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

import sdmodel as sd

PROJECT = Path(__file__).resolve().parents[1]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
MOVES, MEMBERS = 50, 1000

SLIDER = """async (moves) => {
    const lever = explorer.contents.levers.find(({range}) => range[1] > range[0]);
    const slider = document.getElementById(`lever-${lever.input}-slider`);
    const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const [drawn, ran] = [[], []];
    for (let move = 0; move < moves; move++) {
        await new Promise((resolve) => setTimeout(resolve, 30));
        const start = performance.now();
        slider.value = lever.range[0] + (0.2 + 0.6 * move / moves) * (lever.range[1] - lever.range[0]);
        slider.dispatchEvent(new Event("input"));
        await painted();
        drawn.push(performance.now() - start);
        const again = performance.now();
        explorer.engine.simulate(explorer.changes);
        ran.push(performance.now() - again);
    }
    return [drawn, ran].map((times) => times.sort((a, b) => a - b)[times.length >> 1]);
}"""
"""The median time from the input of a slider to the next painted frame, and of a run, in milliseconds."""

JOB = """(job) => new Promise((resolve) => {
    const client = job.kind === "members" ? views.clients.members : views.clients.levers;
    const receive = views.receive.bind(views);
    const start = performance.now();
    views.receive = (message) => {
        receive(message);
        if (message.kind === job.kind && message.finished) resolve(performance.now() - start);
    };
    client.start({changes: [], outputs: explorer.shownOutputs, ...job});
})"""
"""The time of a job in a worker, in milliseconds."""


def main() -> None:
    """Write the pages, measure, and print."""
    model = sd.read_model(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "models" / "ai_compute.mdl")
    sampling = Path(model.path).with_suffix(".vsc")
    rows: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        start = time.perf_counter()
        plain = sd.write_explorer(model, Path(folder, "plain.html"))
        rows += [("write the page", f"{time.perf_counter() - start:.2g} s"), ("its size", _size(plain))]
        pages = [plain]
        if sampling.is_file():
            for count in (300, MEMBERS):
                design = sd.make_design(model, sd.default_sampling(model), count=count)
                pages.append(sd.write_explorer(model, Path(folder, f"{count}.html"), design=design))
            rows.append(("its size with 300 members", _size(pages[1])))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = _opened(browser, plain)
        drawn, ran = page.evaluate(SLIDER, MOVES)
        rows += [("a run", f"{ran:.2g} ms"), (f"slider to drawn charts, median of {MOVES}", f"{drawn:.3g} ms")]
        inputs = page.evaluate("explorer.contents.levers.slice(0, 5).map(({input, range}) => [input, range[1]])")
        rows.append(
            ("Shapley values of five levers", f"{page.evaluate(JOB, {'kind': 'subsets', 'levers': inputs}):.3g} ms")
        )
        if len(pages) > 1:
            page = _opened(browser, pages[-1])
            rows.append(
                (
                    f"bands of {MEMBERS:,} members",
                    f"{page.evaluate(JOB, {'kind': 'members', 'count': MEMBERS}) / 1000:.2g} s",
                )
            )
        browser.close()
    print(f"| the page of `{Path(model.path).name}` |  |\n| --- | --- |")
    print("\n".join(f"| {name} | {value} |" for name, value in rows))


def _opened(browser: Any, path: Path) -> Page:
    page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(500)
    return page


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1000:,.0f} kB"


if __name__ == "__main__":
    main()
