// The views of the page: charts, the table of headlines, and where the numbers come from.

import { byId, download, element } from "./dom.js";
import { Panel, changeText, numbersText } from "./panels.js";
import { valueAt } from "./statistics.js";
import { formatExact, formatNumber, formatPercent, formatUnits } from "./text.js";

const FEW = 2; // so few panels are drawn tall
const TALL = 320;

/** The charts with their options. */
export class Charts {
  constructor(explorer) {
    this.explorer = explorer;
    this.node = element("div", { class: "charts" });
    this.grid = element("div", { class: "panels" });
    this.options = element("div", { class: "options" });
    this.key = element("p", { class: "key" });
    this.bandNote = element("p", { class: "hint", role: "status" });
    this.progress = element("progress", { max: 1, value: 0, hidden: true, "aria-label": "Members that are done" });
    this.panels = [];
    this.seen = new IntersectionObserver((entries) => this.follow(entries), { rootMargin: "200px" });
    window.addEventListener("beforeprint", () => this.drawAll());
    window.addEventListener("resize", () => {
      for (const panel of this.panels) panel.width = null;
    });
    this.quantiles = new Map();
    this.node.append(
      this.options,
      this.key,
      element("div", { class: "bands" }, [this.progress, this.bandNote]),
      this.grid,
    );
    this.layOut();
  }

  /** Make a panel for each that is shown. */
  layOut() {
    const { explorer } = this;
    const wanted = explorer.panels;
    const height = wanted.length > FEW ? undefined : TALL;
    this.panels = wanted.map(
      (panel) => this.panels.find((one) => one.panel.title === panel.title) ?? new Panel(explorer, panel),
    );
    for (const panel of this.panels) {
      panel.height = height ?? panel.usualHeight;
      panel.width = null;
      this.seen.observe(panel.node);
    }
    for (const panel of this.panels) for (const [output, found] of this.quantiles) panel.setBands(output, found);
    this.grid.replaceChildren(...this.panels.map((panel) => panel.node));
    if (!this.panels.length)
      this.grid.append(
        element("p", { class: "hint", text: "All panels are hidden; “Show all panels” brings them back." }),
      );
    this.showOptions();
  }

  showOptions() {
    const { explorer } = this;
    const { options } = explorer;
    const choices = [
      ["", "values"],
      ["absolute", "change"],
      ["percent", "change in %"],
    ];
    const picker = select("Show", choices, options.diff, (value) => explorer.setOption("diff", value));
    const parts = [picker, referenceChoice(explorer)];
    if (explorer.members) {
      const box = element("input", {
        type: "checkbox",
        id: "bands-shown",
        onchange: () => explorer.setOption("bands", box.checked ? "" : "off"),
      });
      box.checked = options.bands !== "off";
      parts.push(
        element("span", { class: "choice" }, [box, element("label", { for: "bands-shown", text: "Bands of members" })]),
      );
    }
    if (options.off.length) {
      parts.push(
        element("button", {
          type: "button",
          class: "small",
          text: "Show all panels",
          onclick: () => explorer.setOption("off", []),
        }),
      );
    }
    parts.push(
      element("button", {
        type: "button",
        class: "small",
        text: "All numbers as CSV",
        onclick: () =>
          download(
            `${explorer.contents.model.name}.csv`,
            numbersText(explorer, explorer.shownOutputs, this.quantiles),
            "text/csv",
          ),
      }),
    );
    this.options.replaceChildren(...parts);
    const styles = [
      ["now", "now"],
      ["base", "base"],
      ...["A", "B"].filter((pin) => explorer.pinned[pin]).map((pin) => [`pin${pin}`, `run ${pin}`]),
    ];
    const stored = explorer.contents.runs.map((run) => run.name);
    if (stored.length) styles.push(["stored", `stored: ${stored.join(", ")}`]);
    const samples = styles.map(([look, text]) =>
      element("span", { class: "sample" }, [element("i", { class: `stroke ${look}` }), text]),
    );
    if (explorer.observed.size)
      samples.push(
        element("span", { class: "sample" }, [
          element("i", { class: "stroke dots" }),
          "observed, with one standard deviation",
        ]),
      );
    this.key.replaceChildren(...samples);
  }

  update(told) {
    if (told.has("options") || told.has("pins")) this.layOut();
    this.draw();
  }

  draw() {
    if (!this.node.isConnected || this.node.closest("[hidden]")) return;
    const near = this.panels.filter((panel) => panel.near);
    for (const panel of near) panel.width ??= panel.measure();
    for (const panel of this.panels) panel.stale = !panel.near;
    for (const panel of near) panel.draw();
  }

  /** Draw panels that come into sight and have older contents. */
  follow(entries) {
    for (const { target, isIntersecting } of entries) {
      const panel = this.panels.find((one) => one.node === target);
      if (!panel) continue;
      panel.near = isIntersecting;
      if (isIntersecting && panel.stale !== false) {
        panel.stale = false;
        panel.draw();
      }
    }
  }

  drawAll() {
    for (const panel of this.panels) panel.draw();
  }

  moveCursor() {
    for (const panel of this.panels) if (panel.near) panel.drawCursor();
  }

  /** Take quantiles of members from the worker, or its progress. */
  receiveBands({ done, count, outputs, bands, broken, finished }) {
    this.progress.hidden = Boolean(finished);
    this.progress.value = done / count;
    const known = this.explorer.errors.size ? "; dated forecasts include the model error" : "";
    const lost = broken ? ` ${broken} members stop being finite; the bands are those of the others from there on.` : "";
    this.bandNote.textContent = finished
      ? `Bands: the middle 50 % and 90 % of ${count.toLocaleString("en-US")} members${known}. A lever that you move has your value in every member.${lost}`
      : `${done} of ${count} members`;
    if (!bands) return;
    const size = bands.length / outputs.length;
    outputs.forEach((output, at) => {
      this.quantiles.set(output, bands.subarray(at * size, (at + 1) * size));
    });
    for (const panel of this.panels) for (const [output, found] of this.quantiles) panel.setBands(output, found);
    this.draw();
  }
}

/** A labelled choice. */
export function select(label, choices, value, choose) {
  const id = `choice-${label.replace(/\W+/g, "-")}-${select.count++}`;
  const list = element(
    "select",
    { id, onchange: () => choose(list.value) },
    choices.map(([name, text]) => element("option", { value: name, text })),
  );
  list.value = value;
  return element("span", { class: "choice" }, [element("label", { for: id, text: label }), list]);
}
select.count = 0;

/** A choice of the run that others are compared with. */
export function referenceChoice(explorer) {
  const pins = ["A", "B"].filter((pin) => explorer.pinned[pin]);
  const runs = [["base", "base"], ...pins.map((pin) => [pin, `run ${pin}`])];
  const chosen = pins.includes(explorer.options.against) ? explorer.options.against : "base";
  return select("against", runs, chosen, (value) => explorer.setOption("against", value));
}

/** The table of headlines at chosen dates, with the change against the base or a pinned run. */
export class HeadlineTable {
  constructor(explorer) {
    this.explorer = explorer;
    this.dates = element("input", { type: "text", id: "dates", size: 28, autocomplete: "off" });
    this.dates.addEventListener("change", () => {
      const found = this.dates.value.split(/[,;\s]+/).filter((entry) => entry && this.inside(Number(entry)));
      explorer.setOption("dates", found.slice(0, 6));
    });
    this.table = element("table", {});
    this.choice = element("span", {});
    const form = element("div", { class: "options" }, [
      element("label", { for: "dates", text: "At" }),
      this.dates,
      this.choice,
    ]);
    this.node = element("div", {}, [
      form,
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Headlines at dates" }, [
        this.table,
      ]),
    ]);
  }

  inside(time) {
    const { times } = this.explorer;
    return time >= times[0] && time <= times.at(-1);
  }

  get chosen() {
    const { options, times } = this.explorer;
    const own = options.dates.map(Number).filter((time) => this.inside(time));
    return own.length ? own : [times[Math.floor(times.length / 2)], times.at(-1)];
  }

  update() {
    const { explorer, chosen } = this;
    if (document.activeElement !== this.dates) this.dates.value = chosen.map(formatExact).join(", ");
    this.choice.replaceChildren(referenceChoice(explorer));
    const compared = explorer.referenceName;
    const head = element("tr", {}, [
      element("th", { scope: "col", text: "headline" }),
      element("th", { scope: "col", text: "units" }),
      ...chosen.flatMap((time) => [
        element("th", { scope: "col", class: "number", text: formatExact(time) }),
        element("th", { scope: "col", class: "number", text: `from ${compared}` }),
      ]),
    ]);
    const rows = explorer.contents.headlines.map(({ output }) => {
      const units = explorer.unitsOf(output);
      const cells = chosen.flatMap((time) => {
        const [now, before] = [explorer.now, explorer.reference].map((run) =>
          valueAt(explorer.times, run.series(output), time),
        );
        return [
          element("td", { class: "number", text: formatNumber(now, units) }),
          element("td", { class: "number change", text: changeText(before, now, units) }),
        ];
      });
      return element("tr", {}, [
        element("th", { scope: "row", text: explorer.nameOf(output) }),
        element("td", { text: formatUnits(units) }),
        ...cells,
      ]);
    });
    this.table.replaceChildren(
      element("caption", {
        text: `Headlines at ${chosen.map(formatExact).join(", ")}, and their change from ${compared}`,
      }),
      element("thead", {}, [head]),
      element("tbody", {}, rows),
    );
  }
}

/** What the user changed, as a list. */
export function showChanged(explorer) {
  const [list, notice] = [byId("changed"), byId("notices")];
  const update = (told) => {
    if (!told.has("changes")) return;
    const entries = [...explorer.changes].map(([place, value]) => {
      const name = explorer.inputs[place].cell;
      const percent = formatPercent(explorer.baseValue(place), value);
      const text = `${name}: ${formatExact(explorer.baseValue(place))} → ${formatExact(value)}${percent ? ` (${percent})` : ""}`;
      const undo = element("button", {
        type: "button",
        class: "small",
        text: "×",
        "aria-label": `Reset ${name}`,
        onclick: () => explorer.setValue(place, explorer.baseValue(place)),
      });
      return element("li", {}, [text, " ", undo]);
    });
    list.replaceChildren(
      ...(entries.length ? entries : [element("li", { class: "hint", text: "Nothing: this is the base run." })]),
    );
    const faults = [explorer.now.fault, ...explorer.notices].filter(Boolean);
    notice.replaceChildren(...faults.map((text) => element("p", { class: "notice", text })));
  };
  explorer.listen(update);
}

/** Where the numbers come from. */
export function aboutPage(explorer) {
  const { model, module, observations, runs, members, scenarios } = explorer.contents;
  const { time } = module;
  const facts = [
    ["Model", model.file],
    ["SHA-256", model.sha256],
    ["Made with", `sdmodel ${module.version}; the equations are compiled to WebAssembly and run in this page`],
    [
      "Times",
      `${formatExact(time.initial)} to ${formatExact(time.final)} ${time.units}, step ${formatExact(time.step)}, integrator ${module.integrator}`,
    ],
    [
      "Variables",
      `${explorer.contents.variables.length}, ${explorer.outputs.length.toLocaleString("en-US")} numbers at each of ${time.saved.length} times`,
    ],
  ];
  if (module.remarks.length) facts.push(["Remarks", module.remarks.join("; ")]);
  if (members)
    facts.push([
      "Members",
      `${members.count.toLocaleString("en-US")}, ${members.method}, seed ${members.seed}; ${members.inputs.length} constants vary`,
    ]);
  const parts = [
    element("h2", { text: "Where the numbers come from" }),
    element(
      "dl",
      {},
      facts
        .filter(([, text]) => text)
        .flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]),
    ),
    element("p", {
      text: "The file needs no network and sends nothing. The part of its address after # holds what you changed: whoever has the same file sees the same.",
    }),
  ];
  const list = (heading, items) => {
    if (items.length)
      parts.push(
        element("h3", { text: heading }),
        element(
          "ul",
          {},
          items.map((text) => element("li", { text })),
        ),
      );
  };
  list(
    "Observations",
    observations.map((one) =>
      [`${one.name} (${explorer.nameOf(one.output)}): ${one.points.length} points`, one.sources.join("; "), one.note]
        .filter(Boolean)
        .join(". "),
    ),
  );
  list(
    "Stored runs",
    runs.map(
      (run) =>
        `${run.name}${run.about ? `: ${run.about}` : ""}${run.sha256 === model.sha256 ? "" : `; made with another version of the model, ${run.sha256.slice(0, 12)}`}`,
    ),
  );
  list(
    "Scenarios",
    scenarios.map((scenario) => `${scenario.name}: ${scenario.about}`),
  );
  return element("div", { class: "prose" }, parts);
}
