// The charts of the headlines: what each panel shows, its legend with values, and its files.

import { axisUnits, drawChart, drawCursor } from "./chart.js";
import { download, element, pictureText, shape } from "./dom.js";
import { LEVELS, valueAt, withModelError } from "./statistics.js";
import { csvEntry, formatNumber, formatPercent, formatSigned, formatUnits } from "./text.js";

const FAR_APART = 1e3; // positive numbers with a larger ratio get a logarithmic axis where the model asks for none

/** The style of the line, bar or area in some place. */
export function lookOf(place) {
  return `c${place % 8}`;
}

/** A panel in the page: a chart that follows the explorer. */
export class Panel {
  constructor(explorer, panel, { height = 190, removable = true } = {}) {
    this.explorer = explorer;
    this.panel = panel;
    this.height = height;
    this.usualHeight = height;
    this.bands = new Map();
    this.svg = shape("svg", { class: "chart", role: "img", tabindex: 0, "aria-label": panel.title });
    this.title = element("h3", { text: panel.title });
    this.units = element("span", { class: "units" });
    this.legend = element("ul", { class: "legend" });
    const actions = [
      ["SVG", `SVG of ${panel.title}`, () => this.downloadPicture()],
      ["CSV", `CSV of ${panel.title}`, () => this.downloadNumbers()],
      ...(removable ? [["×", `Hide ${panel.title}`, () => this.hide()]] : []),
    ];
    const buttons = actions.map(([text, label, onclick]) =>
      element("button", { type: "button", class: "small", text, "aria-label": label, title: label, onclick }),
    );
    this.node = element("article", { class: "panel" }, [
      element("header", {}, [this.title, element("span", { class: "actions" }, buttons)]),
      element("div", { class: "values" }, [this.units, this.legend]),
      this.svg,
    ]);
    this.logarithmic = this.choosesLogarithm();
    this.followPointer();
  }

  choosesLogarithm() {
    if (this.panel.scale) return this.panel.scale === "log";
    const values = this.panel.lines
      .flatMap((line) => [...this.explorer.base.series(line.output)])
      .filter(Number.isFinite);
    const least = values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
    return least > 0 && values.reduce((high, value) => Math.max(high, value), 0) / least > FAR_APART;
  }

  hide() {
    const { options } = this.explorer;
    if (this.panel.added)
      this.explorer.setOption(
        "add",
        options.add.filter((name) => name !== this.panel.added),
      );
    else this.explorer.setOption("off", [...options.off, this.panel.title]);
  }

  get difference() {
    return this.explorer.options.diff;
  }

  /** A series as shown: itself, or its difference from the reference. */
  shown(series, output, times) {
    if (!this.difference) return series;
    const reference = this.explorer.reference.series(output);
    const at = (place) => (times ? valueAt(this.explorer.times, reference, times[place]) : reference[place]);
    return Array.from(series, (value, place) => {
      const change = value - at(place);
      return this.difference === "percent" ? (100 * change) / Math.abs(at(place)) : change;
    });
  }

  lines() {
    const { explorer, panel } = this;
    const found = [];
    const add = (run, style) => {
      panel.lines.forEach((line, at) => {
        found.push({ series: this.shown(run.series(line.output), line.output), look: `${style} ${lookOf(at)}` });
      });
    };
    for (const run of explorer.contents.runs) {
      panel.lines.forEach((line, at) => {
        const series = run.series[line.output];
        if (series)
          found.push({
            series: this.shown(series, line.output, run.times),
            times: run.times,
            look: `stored ${lookOf(at)}`,
          });
      });
    }
    const others = [[explorer.base, "base"], ...["A", "B"].map((pin) => [explorer.pinned[pin], `pin${pin}`])];
    for (const [run, style] of others) if (run && !(this.difference && run === explorer.reference)) add(run, style);
    add(explorer.now, "now");
    return found;
  }

  observations() {
    if (this.difference) return [];
    return this.panel.lines.flatMap((line, at) =>
      (this.explorer.observed.get(line.output) ?? []).map((series) => ({ rows: series.points, look: lookOf(at) })),
    );
  }

  shownBands() {
    if (this.difference || this.explorer.options.bands === "off") return [];
    return this.panel.lines.flatMap((line, at) => {
      const quantiles = this.bands.get(line.output);
      return quantiles ? [{ quantiles, look: lookOf(at) }] : [];
    });
  }

  /** Take the quantiles of members, with the model error where it is known. */
  setBands(output, quantiles) {
    const sizes = this.explorer.errors.get(output);
    this.bands.set(output, sizes ? withModelError(quantiles, sizes) : quantiles);
  }

  /** The width for the chart; asked for once, since the browser must lay out the page for it. */
  measure() {
    return Math.max(this.node.clientWidth - 18, 220);
  }

  draw() {
    const { explorer } = this;
    this.width ??= this.measure();
    const { width } = this;
    const marks = explorer.contents.marks.map((mark) => explorer.now.series(mark.output)[0]);
    this.chart = drawChart(this.svg, {
      width,
      height: this.height,
      times: explorer.times,
      lines: this.lines(),
      bands: this.shownBands(),
      points: this.observations(),
      marks,
      logarithmic: this.logarithmic && !this.difference,
    });
    const units = formatUnits(explorer.unitsOf(this.panel.lines[0].output));
    const compared = this.difference === "percent" ? "%" : units;
    const text = axisUnits(compared, this.chart);
    this.units.textContent = this.difference ? `${text}, change from ${explorer.referenceName}` : text;
    this.drawCursor();
  }

  /** Update the crosshair and the values in the legend: at the time of the pointer, else at the end. */
  drawCursor() {
    const { explorer } = this;
    const place = explorer.cursor ?? explorer.times.length - 1;
    const values = this.panel.lines.map((line, at) => ({
      value: this.shown(explorer.now.series(line.output), line.output)[place],
      look: lookOf(at),
    }));
    if (this.chart) drawCursor(this.chart, explorer.cursor === null ? null : explorer.times[place], values);
    const entries = this.panel.lines.map((line, at) => {
      const units = explorer.unitsOf(line.output);
      const [now, before] = [explorer.now.series(line.output)[place], explorer.reference.series(line.output)[place]];
      const change = formatPercent(before, now);
      const changed = change && change !== "0 %" ? ` (${change})` : "";
      return { label: line.label, text: `${formatNumber(now, units)}${changed}`, look: lookOf(at) };
    });
    if (this.legend.childElementCount !== entries.length) {
      this.legend.replaceChildren(
        ...entries.map((entry) =>
          element("li", {}, [
            element("span", { class: `swatch ${entry.look}` }),
            element("span", { class: "label", text: entry.label }),
            element("b"),
          ]),
        ),
      );
    }
    entries.forEach((entry, at) => {
      this.legend.children[at].lastChild.textContent = entry.text;
    });
    const said = entries.map((entry) => `${entry.label} ${entry.text}`.trim()).join(", ");
    this.svg.setAttribute(
      "aria-label",
      `${this.panel.title} at ${formatNumber(explorer.times[place], "year")}: ${said}`,
    );
  }

  followPointer() {
    const { explorer, svg } = this;
    const move = (event) => {
      const box = svg.getBoundingClientRect();
      const { x } = this.chart;
      const pixel = ((event.clientX - box.left) * this.chart.width) / box.width;
      const share = (pixel - x(x.low)) / (x(x.high) - x(x.low));
      explorer.moveCursor(nearestPlace(explorer.times, x.low + Math.min(Math.max(share, 0), 1) * (x.high - x.low)));
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && explorer.moveCursor(null));
    svg.addEventListener("blur", () => explorer.moveCursor(null));
    svg.addEventListener("keydown", (event) => {
      const last = explorer.times.length - 1;
      const here = explorer.cursor ?? last;
      const to = {
        ArrowLeft: here - 1,
        ArrowRight: here + 1,
        PageDown: here - 10,
        PageUp: here + 10,
        Home: 0,
        End: last,
      }[event.key];
      if (event.key === "Escape") explorer.moveCursor(null);
      if (to === undefined) return;
      event.preventDefault();
      explorer.moveCursor(Math.min(Math.max(to, 0), last));
    });
  }

  downloadPicture() {
    const legend = this.panel.lines.map((line, at) => ({
      label: line.label || this.explorer.nameOf(line.output),
      colour: getComputedStyle(this.legend.children[at].firstChild).backgroundColor,
    }));
    const title = [this.panel.title, this.units.textContent].filter(Boolean).join(", ");
    download(`${this.panel.title}.svg`, pictureText(this.svg, title, legend), "image/svg+xml");
  }

  downloadNumbers() {
    download(
      `${this.panel.title}.csv`,
      numbersText(
        this.explorer,
        this.panel.lines.map((line) => line.output),
        this.bands,
      ),
      "text/csv",
    );
  }
}

/** The place of the saved time nearest to a time. */
export function nearestPlace(times, time) {
  let best = 0;
  times.forEach((one, at) => {
    if (Math.abs(one - time) < Math.abs(times[best] - time)) best = at;
  });
  return best;
}

/** Series of the current run, the base, the pins and the bands as comma-separated text, one line per saved time. */
export function numbersText(explorer, outputs, bands = new Map()) {
  const columns = [["time", explorer.times]];
  for (const output of outputs) {
    const name = explorer.nameOf(output);
    columns.push([name, explorer.now.series(output)], [`${name} (base)`, explorer.base.series(output)]);
    for (const pin of ["A", "B"])
      if (explorer.pinned[pin]) columns.push([`${name} (${pin})`, explorer.pinned[pin].series(output)]);
    const quantiles = bands.get(output);
    if (quantiles) {
      const count = explorer.times.length;
      LEVELS.forEach((level, at) => {
        columns.push([`${name} (${100 * level} % of members)`, quantiles.subarray(at * count, (at + 1) * count)]);
      });
    }
  }
  const rows = explorer.times.map((_, place) =>
    columns.map(([, series]) => (Number.isNaN(series[place]) ? "" : series[place])).join(","),
  );
  return `${[columns.map(([name]) => csvEntry(name)).join(","), ...rows].join("\n")}\n`;
}

/** A change in words: the new value, and the difference from another run. */
export function changeText(from, to, units) {
  const percent = formatPercent(from, to);
  return from === to ? "" : [formatSigned(to - from, units), percent && `(${percent})`].filter(Boolean).join(" ");
}
