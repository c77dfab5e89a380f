// The levers: a slider, a number and a reset for each, in the groups of the model.

import { element } from "./dom.js";
import { formatExact, formatUnits } from "./text.js";

const MANY = 12;
const LONG = 40; // a longer group is closed at first

/** Fill the panel of levers and keep it up to date. */
export function showLevers(root, explorer) {
  const rows = explorer.contents.levers.map((lever) => leverRow(lever, explorer));
  const groups = [...new Set(explorer.contents.levers.map((lever) => lever.group))];
  const search = element("input", { type: "search", placeholder: "Find a lever", "aria-label": "Find a lever" });
  const parts = groups.map((group) =>
    groupPart(
      group,
      rows.filter((row) => row.lever.group === group),
      explorer,
    ),
  );
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const row of rows) row.node.hidden = !row.name.toLowerCase().includes(wanted);
    for (const part of parts) part.node.hidden = part.rows.every((row) => row.node.hidden);
  });
  const nothing = element("p", { class: "hint", text: "This model has no constants to change." });
  root.append(
    element("h2", { id: "levers-title", text: "Levers" }),
    ...(rows.length > MANY ? [search] : []),
    ...(rows.length ? parts.map((part) => part.node) : [nothing]),
  );
  explorer.listen((told) => {
    if (!told.has("changes")) return;
    for (const row of rows) row.update();
    for (const part of parts) part.update();
  });
}

function groupPart(group, rows, explorer) {
  const count = element("span", { class: "count" });
  const reset = element("button", {
    type: "button",
    class: "small",
    text: "Reset group",
    onclick: () =>
      explorer.setChanges([...explorer.changes].filter(([place]) => !rows.some((row) => row.lever.input === place))),
  });
  const node = element("details", { class: "group", open: rows.length <= LONG }, [
    element("summary", {}, [element("h3", { text: group }), count]),
    ...rows.map((row) => row.node),
    reset,
  ]);
  const update = () => {
    const changed = rows.filter((row) => explorer.changes.has(row.lever.input)).length;
    count.textContent = changed ? `${changed} changed` : "";
    reset.hidden = !changed;
  };
  update();
  return { node, rows, update };
}

function leverRow(lever, explorer) {
  const input = explorer.inputs[lever.input];
  const variable = explorer.contents.variables[lever.variable];
  const name = input.cell;
  const id = `lever-${lever.input}`;
  const units = formatUnits(input.units);
  const about = element("p", {
    class: "about",
    id: `${id}-about`,
    hidden: true,
    text: variable.comment || "The model has no comment on it.",
  });
  const info = element("button", {
    type: "button",
    class: "info",
    "aria-expanded": "false",
    "aria-controls": about.id,
    "aria-label": `About ${name}`,
    text: "i",
    onclick: () => {
      about.hidden = !about.hidden;
      info.setAttribute("aria-expanded", String(!about.hidden));
    },
  });
  const reset = element("button", {
    type: "button",
    class: "reset",
    "aria-label": `Reset ${name}`,
    title: `Back to ${formatExact(input.value)}`,
    text: "↺",
    onclick: () => explorer.setValue(lever.input, input.value),
  });
  const control = isSwitch(lever) ? switchControl(lever, name, explorer) : sliderControl(lever, name, explorer);
  const head = element("div", { class: "head", title: variable.comment || undefined }, [
    element("label", { for: control.id, text: name }),
    info,
    reset,
  ]);
  const [low, high] = lever.range;
  const notes = [
    `base ${formatExact(input.value)}${units && units !== "dimensionless" ? ` ${units}` : ""}`,
    lever.declared ? `range ${formatExact(low)} to ${formatExact(high)}` : "no range in the model",
  ];
  if (lever.plausible) notes.push(`plausible ${lever.plausible.map(formatExact).join(" to ")}`);
  const facts = element("p", { class: "facts", text: notes.join(" · ") });
  const node = element("div", { class: "lever" }, [head, control.node, facts, about]);
  const update = () => {
    const value = explorer.valueOf(lever.input);
    const changed = explorer.changes.has(lever.input);
    control.set(value);
    node.classList.toggle("moved", changed);
    node.classList.toggle("outside", value < low || value > high);
    reset.disabled = !changed;
  };
  update();
  return { node, lever, name, update };
}

function isSwitch(lever) {
  return lever.range[0] === 0 && lever.range[1] === 1 && lever.step === 1;
}

function switchControl(lever, name, explorer) {
  const id = `lever-${lever.input}-switch`;
  const box = element("input", {
    type: "checkbox",
    id,
    role: "switch",
    onchange: () => explorer.setValue(lever.input, box.checked ? 1 : 0),
  });
  const word = element("span", { "aria-hidden": "true" });
  const set = (value) => {
    box.checked = value !== 0;
    word.textContent = value === 0 ? "off" : "on";
  };
  return { id, set, node: element("div", { class: "control", "aria-label": name }, [box, word]) };
}

function sliderControl(lever, name, explorer) {
  const [low, high] = lever.range;
  const units = formatUnits(explorer.inputs[lever.input].units);
  const id = `lever-${lever.input}-slider`;
  const slider = element("input", { type: "range", id, min: low, max: high, step: "any" });
  const number = element("input", { type: "number", step: "any", "aria-label": `${name}, as a number` });
  const share = (value) => `${(100 * (value - low)) / (high - low || 1)}%`;
  slider.style.setProperty("--base", share(explorer.baseValue(lever.input)));
  if (lever.plausible) {
    slider.style.setProperty("--from", share(lever.plausible[0]));
    slider.style.setProperty("--to", share(lever.plausible[1]));
  }
  slider.addEventListener("input", () => explorer.setValue(lever.input, onStep(lever, Number(slider.value), explorer)));
  slider.addEventListener("keydown", (event) => {
    const moved = keyboardStep(event.key, lever, explorer.valueOf(lever.input));
    if (moved === null) return;
    event.preventDefault();
    explorer.setValue(lever.input, moved);
  });
  number.addEventListener("change", () => {
    if (number.value.trim() !== "" && Number.isFinite(Number(number.value)))
      explorer.setValue(lever.input, Number(number.value));
    else number.value = formatExact(explorer.valueOf(lever.input));
  });
  const set = (value) => {
    slider.value = value;
    slider.setAttribute("aria-valuetext", `${formatExact(value)} ${units}`.trim());
    if (document.activeElement !== number || Number(number.value) !== value) number.value = formatExact(value);
  };
  return { id, set, node: element("div", { class: "control" }, [slider, number]) };
}

/** The step of a lever nearest to a value; its ends and its base value count as steps. */
export function onStep(lever, value, explorer) {
  const [low, high] = lever.range;
  const base = explorer.baseValue(lever.input);
  const near = Number((low + Math.round((value - low) / lever.step) * lever.step).toPrecision(12));
  const candidates = [near, low, high, base].filter((one) => one >= low && one <= high);
  return candidates.reduce((best, one) => (Math.abs(one - value) < Math.abs(best - value) ? one : best));
}

/** The value after a key press on a slider; null for other keys. */
export function keyboardStep(pressed, lever, value) {
  const [low, high] = lever.range;
  const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[pressed];
  if (pressed === "Home") return low;
  if (pressed === "End") return high;
  if (steps === undefined) return null;
  return Number(Math.min(Math.max(value + steps * lever.step, low), high).toPrecision(12));
}
