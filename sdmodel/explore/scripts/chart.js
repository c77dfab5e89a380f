// One chart of series over time: lines, bands, observed points, marks and a crosshair.

import { linearDomain, logTicks, makeScale, niceTicks, powerText, sharedPower, tickText } from "./axes.js";
import { shape } from "./dom.js";
import { LEVELS } from "./statistics.js";

const MARGIN = { left: 46, right: 10, top: 8, bottom: 20 };
const DEEPEST = 1e6; // the ratio of the ends of the deepest logarithmic axis
const MOST_POINTS = 600;

/**
 * Draw a chart into an SVG element of some size. `lines` are `{series, look, times?}`, with `look` the classes of its
 * style; `bands` are `{quantiles, look}`, `points` are `{rows: [time, value, low, high], look}`, `marks` are times.
 * Returns the scales, and the power of ten that the numbers on the axis lack.
 */
export function drawChart(
  svg,
  { width, height, times, lines, bands = [], points = [], marks = [], logarithmic = false },
) {
  const domain = verticalDomain(times.length, lines, bands, points, logarithmic);
  const log = logarithmic && domain[0] > 0;
  const x = makeScale(times[0], times.at(-1), MARGIN.left, width - MARGIN.right);
  const y = makeScale(domain[0], domain[1], height - MARGIN.bottom, MARGIN.top, log);
  const power = log ? 0 : sharedPower(Math.max(Math.abs(domain[0]), Math.abs(domain[1])));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const parts = [...drawAxes(x, y, width, height, power)];
  for (const time of marks) {
    if (time >= times[0] && time <= times.at(-1)) {
      parts.push(
        shape("line", { class: "mark", x1: x(time), x2: x(time), y1: MARGIN.top, y2: height - MARGIN.bottom }),
      );
    }
  }
  for (const { quantiles, look } of bands) {
    for (const [low, high] of [
      [0, 4],
      [1, 3],
    ]) {
      parts.push(shape("path", { class: `band ${look}`, d: bandPath(quantiles, low, high, times, x, y) }));
    }
  }
  for (const line of lines)
    parts.push(shape("path", { class: `line ${line.look}`, d: linePath(line.series, line.times ?? times, x, y) }));
  for (const { rows, look } of points) parts.push(...rows.flatMap((row) => pointShapes(row, look, x, y)));
  const cursor = shape("g", { class: "cursor" });
  svg.replaceChildren(...parts, cursor);
  return { x, y, power, cursor, width, height };
}

function verticalDomain(count, lines, bands, points, logarithmic) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const add = (value) => {
    if (Number.isFinite(value) && value !== null && (!logarithmic || value > 0)) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  };
  for (const { series } of lines) series.forEach(add);
  for (const { quantiles } of bands)
    for (const level of [0, LEVELS.length - 1]) quantiles.subarray(level * count, (level + 1) * count).forEach(add);
  for (const { rows } of points) for (const [, value, least, most] of rows) [value, least, most].forEach(add);
  if (logarithmic && Number.isFinite(low)) return [Math.max(low, high / DEEPEST) / 1.15, high * 1.15];
  return linearDomain(low, high);
}

function* drawAxes(x, y, width, height, power) {
  const [left, right, bottom] = [MARGIN.left, width - MARGIN.right, height - MARGIN.bottom];
  const values = y.logarithmic ? logTicks(y.low, y.high) : niceTicks(y.low, y.high, height < 150 ? 3 : 4);
  for (const value of values) {
    yield shape("line", { class: value === 0 ? "zero" : "grid", x1: left, x2: right, y1: y(value), y2: y(value) });
    yield shape("text", {
      class: "tick",
      x: left - 5,
      y: y(value) + 3.5,
      "text-anchor": "end",
      text: tickText(value / 10 ** power),
    });
  }
  for (const time of niceTicks(x.low, x.high, Math.max(2, Math.floor(width / 90)))) {
    yield shape("line", { class: "grid", x1: x(time), x2: x(time), y1: bottom, y2: bottom + 3 });
    const anchor = x(time) > width - 18 ? "end" : "middle";
    yield shape("text", {
      class: "tick",
      x: anchor === "end" ? width - 2 : x(time),
      y: bottom + 15,
      "text-anchor": anchor,
      text: tickText(time),
    });
  }
}

function linePath(series, times, x, y) {
  const every = Math.ceil(series.length / MOST_POINTS);
  let path = "";
  let drawing = false;
  for (let at = 0; at < series.length; at++) {
    if (at % every && at !== series.length - 1) continue;
    const value = series[at];
    if (value === null || !Number.isFinite(value) || (y.logarithmic && value < y.low)) {
      drawing = false;
      continue;
    }
    path += `${drawing ? "L" : "M"}${x(times[at]).toFixed(1)} ${clamped(y(value)).toFixed(1)}`;
    drawing = true;
  }
  return path;
}

function bandPath(quantiles, low, high, times, x, y) {
  const count = times.length;
  const lowest = y.logarithmic ? y.low : Number.NEGATIVE_INFINITY;
  const point = (level, at) => {
    const value = Math.max(quantiles[level * count + at], lowest);
    return Number.isFinite(value) ? `${x(times[at]).toFixed(1)} ${clamped(y(value)).toFixed(1)}` : null;
  };
  const places = Array.from(times, (_, at) => at).filter((at) => point(low, at) && point(high, at));
  if (!places.length) return "";
  const above = places.map((at) => point(high, at));
  const below = places.reverse().map((at) => point(low, at));
  return `M${[...above, ...below].join("L")}Z`;
}

function pointShapes([time, value, low, high], look, x, y) {
  const drawable = (number) => number !== null && Number.isFinite(number) && (!y.logarithmic || number > 0);
  if (!drawable(value) || time < x.low || time > x.high) return [];
  const found = [];
  if (drawable(high)) {
    const least = drawable(low) ? Math.max(low, y.logarithmic ? y.low : low) : y.low;
    found.push(shape("line", { class: `error ${look}`, x1: x(time), x2: x(time), y1: y(least), y2: y(high) }));
  }
  found.push(shape("circle", { class: `point ${look}`, cx: x(time), cy: y(value), r: 2.4 }));
  return found;
}

function clamped(pixel) {
  return Math.min(Math.max(pixel, -1e4), 1e4);
}

/** Move the crosshair of a drawn chart to a time, with a dot on each current line; no time hides it. */
export function drawCursor(chart, time, values) {
  if (time === null) {
    chart.cursor.replaceChildren();
    return;
  }
  const at = chart.x(time);
  const dots = values
    .filter(({ value }) => Number.isFinite(value) && (!chart.y.logarithmic || value >= chart.y.low))
    .map(({ value, look }) => shape("circle", { class: `dot ${look}`, cx: at, cy: clamped(chart.y(value)), r: 3 }));
  chart.cursor.replaceChildren(
    shape("line", { class: "crosshair", x1: at, x2: at, y1: MARGIN.top, y2: chart.height - MARGIN.bottom }),
    ...dots,
  );
}

/** Units with the power of ten that the axis of a chart lacks. */
export function axisUnits(units, chart) {
  const words = [chart.power ? powerText(chart.power) : "", units].filter(Boolean).join(" ");
  return chart.y.logarithmic ? [words, "log scale"].filter(Boolean).join(", ") : words;
}
