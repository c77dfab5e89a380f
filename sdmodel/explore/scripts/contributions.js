// By lever: what each change contributes to a headline, and what each lever alone could do.

import { linearDomain, makeScale, niceTicks, tickText } from "./axes.js";
import { drawChart } from "./chart.js";
import { element, shape } from "./dom.js";
import { lookOf } from "./panels.js";
import { select } from "./sections.js";
import { valueAt } from "./statistics.js";
import { formatExact, formatNumber, formatSigned, formatUnits } from "./text.js";

const ROW = 24;
const LETTER = 7.2; // about the width of a letter
const MOST_RANKED = 60;

/** The view of contributions and of the ranking; `ask` starts a job in the worker. */
export class Contributions {
  constructor(explorer, ask) {
    this.explorer = explorer;
    this.ask = ask;
    this.options = element("div", { class: "options" });
    this.status = element("p", { class: "hint", role: "status" });
    this.bars = element("div", {});
    this.wedges = shape("svg", { class: "chart", role: "img", "aria-label": "Contributions over time" });
    this.wedgeTitle = element("h3", {});
    this.wedgeLegend = element("ul", { class: "legend" });
    this.ranking = element("div", {});
    this.rank = element("div", { class: "options" });
    this.rankingStatus = element("p", { class: "hint", role: "status" });
    this.node = element("div", { class: "prose wide" }, [
      this.options,
      element("h2", { text: "What each change contributes" }),
      this.status,
      this.bars,
      element("article", { class: "panel" }, [element("header", {}, [this.wedgeTitle]), this.wedgeLegend, this.wedges]),
      element("h2", { text: "What each lever alone would do from here" }),
      this.rank,
      this.rankingStatus,
      this.ranking,
    ]);
  }

  /** Ask for what the view shows; the results come later. */
  update() {
    const { explorer } = this;
    this.showOptions();
    const outputs = [explorer.subject];
    const levers = [...explorer.changes];
    if (!this.found?.outputs.includes(explorer.subject)) this.found = null;
    if (!this.ranked?.outputs.includes(explorer.subject)) this.ranked = null;
    this.status.textContent = this.introduction(levers.length);
    if (levers.length && explorer.canAttribute) this.ask({ kind: "subsets", levers, outputs });
    else this.found = null;
    const ranked = this.rankedLevers.map((lever) => ({ input: lever.input, ends: lever.plausible ?? lever.range }));
    this.rankingStatus.textContent = ranked.length
      ? "Running each lever at both ends of its plausible range, or else of its range …"
      : "This model has no levers.";
    if (ranked.length) this.ask({ kind: "ranking", changes: [...explorer.changes], levers: ranked, outputs });
    this.draw();
  }

  introduction(count) {
    if (!count) return "Nothing is changed yet: move a lever, or choose a scenario.";
    if (!this.explorer.canAttribute)
      return `${count} constants are changed; contributions are computed for up to eight. Reset some, or look at them one by one below.`;
    const runs = 2 ** count;
    return `Shapley values: the mean effect of each change over all orders of making the changes, from ${runs} runs. They add up to the total change from the base.`;
  }

  /** The levers of the chosen group: policy levers if the model has some, else all, and at most so many. */
  get rankedLevers() {
    const { levers } = this.explorer.contents;
    const own = levers.filter((lever) => lever.group === this.rankedGroup);
    return (own.length ? own : levers).slice(0, MOST_RANKED);
  }

  get rankedGroup() {
    return this.explorer.options.rank || "Policy levers";
  }

  showOptions() {
    const { explorer } = this;
    const groups = [...new Set(explorer.contents.levers.map((lever) => lever.group))];
    const ranks = [...groups.map((group) => [group, group]), ["all", "all levers"]];
    const chosen = groups.includes(this.rankedGroup) ? this.rankedGroup : "all";
    this.rank.replaceChildren(select("Rank", ranks, chosen, (value) => explorer.setOption("rank", value)));
    const choices = explorer.shownOutputs.map((output) => [explorer.nameOf(output), explorer.nameOf(output)]);
    const subject = select("Of", choices, explorer.nameOf(explorer.subject), (value) =>
      explorer.setOption("on", value),
    );
    this.options.replaceChildren(subject, dateChoice(explorer));
  }

  receive(message) {
    if (!message.finished) {
      if (message.kind === "subsets") this.status.textContent = `${message.done} of ${message.count} runs`;
      return;
    }
    if (message.kind === "subsets") this.found = message;
    else this.ranked = message;
    this.draw();
  }

  draw() {
    this.drawBars();
    this.drawWedges();
    this.drawRanking();
  }

  /** The series of one output in a result that has several outputs. */
  part(values, outputs) {
    const { times, subject } = this.explorer;
    const at = outputs.indexOf(subject);
    return at < 0 ? null : values.subarray(at * times.length, (at + 1) * times.length);
  }

  drawBars() {
    const { explorer, found } = this;
    this.bars.replaceChildren();
    if (!found) return;
    this.status.textContent = this.introduction(found.levers.length);
    const units = explorer.unitsOf(explorer.subject);
    const at = (values) => valueAt(explorer.times, this.part(values, found.outputs), explorer.date);
    const total = at(found.total);
    const rows = found.levers.map(([input], lever) => ({
      name: explorer.inputs[input].cell,
      shapley: at(found.shapley[lever]),
      alone: at(found.alone[lever]),
      look: lookOf(lever),
    }));
    rows.sort((one, other) => Math.abs(other.shapley) - Math.abs(one.shapley));
    const picture = barPicture(
      rows.map((row) => ({ name: row.name, ends: [0, row.shapley], look: row.look })),
      "Contributions",
      this.node.clientWidth,
    );
    const share = (value) => (total ? `${((100 * value) / total).toFixed(0)} %` : "");
    const line = (name, values) =>
      element("tr", {}, [
        element("th", { scope: "row", text: name }),
        ...values.map((text) => element("td", { class: "number", text })),
      ]);
    const head = ["lever", "Shapley", "share", "alone"].map((text, column) =>
      element("th", { scope: "col", class: column ? "number" : undefined, text }),
    );
    const table = element("table", {}, [
      element("caption", {
        text: `${explorer.nameOf(explorer.subject)} at ${formatExact(explorer.date)}, ${formatUnits(units)}`,
      }),
      element("thead", {}, [element("tr", {}, head)]),
      element("tbody", {}, [
        ...rows.map((row) =>
          line(row.name, [formatSigned(row.shapley, units), share(row.shapley), formatSigned(row.alone, units)]),
        ),
        line("total", [formatSigned(total, units), total ? "100 %" : "", ""]),
      ]),
    ]);
    this.bars.append(
      picture,
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of contributions" }, [table]),
    );
  }

  drawWedges() {
    const { explorer, found } = this;
    this.wedges.parentNode.hidden = !found;
    if (!found) return;
    const { times } = explorer;
    const series = found.shapley.map((values) => this.part(values, found.outputs));
    const layers = stacked(series, times.length);
    this.wedgeTitle.textContent = `Contributions to ${explorer.nameOf(explorer.subject)} over time, ${formatUnits(explorer.unitsOf(explorer.subject))}`;
    this.wedgeLegend.replaceChildren(
      ...found.levers.map(([input], at) =>
        element("li", {}, [
          element("span", { class: `swatch ${lookOf(at)}` }),
          element("span", { class: "label", text: explorer.inputs[input].cell }),
        ]),
      ),
      element("li", {}, [element("span", { class: "swatch ink" }), element("span", { class: "label", text: "total" })]),
    );
    const width = Math.max(this.wedges.parentNode.clientWidth - 18, 260);
    const ends = layers.flatMap(({ low, high }) => [low, high]);
    const chart = drawChart(this.wedges, {
      width,
      height: 240,
      times,
      marks: [explorer.date],
      lines: [
        ...ends.map((own) => ({ series: own, look: "hidden" })),
        { series: this.part(found.total, found.outputs), look: "now ink" },
      ],
    });
    const areas = layers.map(({ low, high }, at) =>
      shape("path", { class: `wedge ${lookOf(at)}`, d: areaPath(low, high, times, chart) }),
    );
    this.wedges.prepend(...areas);
  }

  drawRanking() {
    const { explorer, ranked } = this;
    this.ranking.replaceChildren();
    if (!ranked) return;
    const units = explorer.unitsOf(explorer.subject);
    const here = valueAt(explorer.times, explorer.now.series(explorer.subject), explorer.date);
    const rows = ranked.levers.map((lever, at) => {
      const values = [0, 1].map(
        (end) => valueAt(explorer.times, this.part(ranked.results[2 * at + end], ranked.outputs), explorer.date) - here,
      );
      return { lever, name: explorer.inputs[lever.input].cell, values };
    });
    const reach = ({ values }) => Math.max(...values.map((value) => (Number.isFinite(value) ? Math.abs(value) : 0)));
    rows.sort((one, other) => reach(other) - reach(one));
    this.rankingStatus.textContent = `${explorer.nameOf(explorer.subject)} at ${formatExact(explorer.date)} is ${formatNumber(here, units)} ${formatUnits(units)} now; its change with each lever alone at the ends of its plausible range, or else of its range.`;
    this.ranking.append(
      barPicture(
        rows.map(({ name, values }) => ({ name, ends: values, look: "" })),
        "Ranking of levers",
        this.node.clientWidth,
      ),
    );
    const head = ["lever", "low end", "change", "high end", "change"].map((text, column) =>
      element("th", { scope: "col", class: column ? "number" : undefined, text }),
    );
    const body = rows.map(({ name, lever, values }) =>
      element("tr", {}, [
        element("th", { scope: "row", text: name }),
        ...[0, 1].flatMap((end) => [
          element("td", { class: "number" }, [
            element("button", {
              type: "button",
              class: "small",
              text: formatExact(lever.ends[end]),
              "aria-label": `Set ${name} to ${formatExact(lever.ends[end])}`,
              onclick: () => explorer.setValue(lever.input, lever.ends[end]),
            }),
          ]),
          element("td", { class: "number", text: formatSigned(values[end], units) }),
        ]),
      ]),
    );
    const table = element("table", {}, [
      element("caption", {
        text: `Change of ${explorer.nameOf(explorer.subject)}, ${formatUnits(units)}; a number on a button sets the lever`,
      }),
      element("thead", {}, [element("tr", {}, head)]),
      element("tbody", {}, body),
    ]);
    this.ranking.append(
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of the ranking" }, [table]),
    );
  }
}

/** A choice of the date at which contributions and the diagram are shown. */
export function dateChoice(explorer) {
  const id = `date-${select.count++}`;
  const number = element("input", {
    type: "number",
    id,
    step: "any",
    min: explorer.times[0],
    max: explorer.times.at(-1),
    value: formatExact(explorer.date),
    onchange: () => explorer.setOption("at", number.value),
  });
  return element("span", { class: "choice" }, [element("label", { for: id, text: "at" }), number]);
}

/** Horizontal bars from a shared zero: one from 0, or two from the ends of a range. */
function barPicture(rows, label, room) {
  const width = Math.min(Math.max(room, 300), 760);
  const [left, right] = [Math.min(0.4 * width, 230), width - 20];
  const letters = Math.floor(left / LETTER);
  const values = rows.flatMap((row) => row.ends).filter(Number.isFinite);
  const [low, high] = linearDomain(Math.min(0, ...values), Math.max(0, ...values));
  const x = makeScale(low, high, left, right);
  const height = ROW * rows.length + 24;
  const parts = niceTicks(low, high, Math.floor(width / 130)).flatMap((value) => [
    shape("line", { class: value === 0 ? "zero" : "grid", x1: x(value), x2: x(value), y1: 0, y2: height - 20 }),
    shape("text", { class: "tick", x: x(value), y: height - 6, "text-anchor": "middle", text: tickText(value) }),
  ]);
  rows.forEach((row, at) => {
    const top = at * ROW + 4;
    const name = row.name.length > letters ? `${row.name.slice(0, letters - 1)}…` : row.name;
    parts.push(
      shape("text", { class: "name", x: left - 8, y: top + 12, "text-anchor": "end", text: name }, [
        shape("title", { text: row.name }),
      ]),
    );
    const longestFirst = [...row.ends.entries()].sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
    for (const [end, value] of longestFirst) {
      if (!Number.isFinite(value) || value === 0) continue;
      const [from, to] = [x(0), x(value)];
      const look = row.look || (end ? "high" : "low");
      parts.push(
        shape("rect", {
          class: `bar ${look}`,
          x: Math.min(from, to),
          width: Math.abs(to - from),
          y: top,
          height: ROW - 8,
        }),
      );
    }
  });
  return shape(
    "svg",
    {
      class: "bars",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${label}; the table below has the numbers`,
    },
    parts,
  );
}

/** Layers of a stack: positive parts above zero, negative parts below. */
export function stacked(series, count) {
  const [above, below] = [new Float64Array(count), new Float64Array(count)];
  return series.map((values) => {
    const [low, high] = [new Float64Array(count), new Float64Array(count)];
    for (let at = 0; at < count; at++) {
      const side = values[at] >= 0 ? above : below;
      const next = side[at] + (Number.isFinite(values[at]) ? values[at] : 0);
      [low[at], high[at]] = [Math.min(side[at], next), Math.max(side[at], next)];
      side[at] = next;
    }
    return { low, high };
  });
}

function areaPath(low, high, times, { x, y }) {
  const points = (values) => Array.from(times, (time, at) => `${x(time).toFixed(1)} ${y(values[at]).toFixed(1)}`);
  return `M${[...points(high), ...points(low).reverse()].join("L")}Z`;
}
