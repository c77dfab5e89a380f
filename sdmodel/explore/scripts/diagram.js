// The diagrams of the model, coloured by change, and the card of one variable.

import { dateChoice } from "./contributions.js";
import { element, shape } from "./dom.js";
import { Panel } from "./panels.js";
import { referenceChoice, select } from "./sections.js";
import { valueAt } from "./statistics.js";
import { formatExact, formatNumber, formatPercent, formatUnits } from "./text.js";

const ZOOM = 1.25;
/** The number of variables in the view that is shown at first, if one has as many. */
const SEVERAL = 5;
const ENDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

/** The view of the diagrams; a click on a variable calls `choose` with its place. */
export class Diagram {
  constructor(explorer, choose) {
    this.explorer = explorer;
    this.choose = choose;
    this.options = element("div", { class: "options" });
    this.scale = element("p", { class: "hint" });
    this.svg = shape("svg", { class: "diagram", role: "group", "aria-label": "Diagram" });
    this.node = element("div", {}, [this.options, this.scale, element("div", { class: "sheet" }, [this.svg])]);
    this.drag();
  }

  get view() {
    const { views } = this.explorer.contents;
    const chosen = views.find((view) => view.name === this.explorer.options.view);
    const variables = (view) => view.words.filter((word) => word.variable !== undefined).length;
    const enough = Math.min(SEVERAL, Math.max(0, ...views.map(variables)));
    return chosen ?? views.find((view) => variables(view) >= enough);
  }

  update() {
    const { explorer, view } = this;
    if (!view) {
      this.scale.textContent = "This model has no diagram.";
      return;
    }
    const zoom = (text, label, act) =>
      element("button", { type: "button", class: "small", text, "aria-label": label, onclick: act });
    this.options.replaceChildren(
      select(
        "View",
        explorer.contents.views.map(({ name }) => [name, name]),
        view.name,
        (name) => explorer.setOption("view", name),
      ),
      dateChoice(explorer),
      referenceChoice(explorer),
      zoom("+", "Zoom in", () => this.zoom(1 / ZOOM)),
      zoom("−", "Zoom out", () => this.zoom(ZOOM)),
      zoom("Whole view", "Show the whole view", () => this.fit()),
    );
    if (this.drawn !== view) this.draw(view);
    this.colour();
  }

  draw(view) {
    this.drawn = view;
    this.words = view.words.map((word) => wordShape(word, this));
    const lines = view.lines.flatMap((line) => lineShapes(line, view.unit));
    this.svg.replaceChildren(...lines, ...this.words);
    this.whole = boundsOf(view);
    this.fit();
  }

  /** Colour variables by their change at the date, against the base or a pinned run. */
  colour() {
    const { explorer } = this;
    const shares = this.drawn.words.map((word) =>
      word.variable === undefined ? null : changeOf(explorer, word.variable),
    );
    const widest = Math.max(0, ...shares.map((one) => (one && Number.isFinite(one.share) ? Math.abs(one.share) : 0)));
    const end = ENDS.find((own) => own >= widest) ?? 1;
    this.words.forEach((node, at) => {
      const found = shares[at];
      const ground = node.querySelector(".ground");
      if (!found || !ground) return;
      const share = Math.min(Math.max(found.share / end, -1), 1) || 0;
      ground.style.fill = share > 0 ? "var(--up)" : "var(--down)";
      ground.style.fillOpacity = String(0.65 * Math.abs(share));
      node.classList.toggle("coloured", Math.abs(share) > 0.1);
      node.querySelector("title").textContent = `${found.name}: ${found.text}`;
    });
    this.scale.textContent = widest
      ? `Colours: change from ${explorer.referenceName} at ${formatExact(explorer.date)}, from −${100 * end} % (red) to +${100 * end} % (blue). A click on a variable opens its card.`
      : `Nothing differs from ${explorer.referenceName} at ${formatExact(explorer.date)}. A click on a variable opens its card.`;
  }

  fit() {
    this.box = [...this.whole];
    this.show();
  }

  zoom(factor, [x, y] = [this.box[0] + this.box[2] / 2, this.box[1] + this.box[3] / 2]) {
    const width = Math.min(Math.max(this.box[2] * factor, 60), 3 * this.whole[2]);
    const by = width / this.box[2];
    this.box = [x - (x - this.box[0]) * by, y - (y - this.box[1]) * by, width, this.box[3] * by];
    this.show();
  }

  show() {
    this.svg.setAttribute("viewBox", this.box.map((value) => value.toFixed(1)).join(" "));
  }

  place(event) {
    const box = this.svg.getBoundingClientRect();
    const size = Math.max(this.box[2] / box.width, this.box[3] / box.height);
    return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2, size };
  }

  drag() {
    let from = null;
    this.svg.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.svg) return;
        event.preventDefault();
        const { x, y, size } = this.place(event);
        this.zoom(event.deltaY > 0 ? ZOOM : 1 / ZOOM, [
          this.box[0] + this.box[2] / 2 + x * size,
          this.box[1] + this.box[3] / 2 + y * size,
        ]);
      },
      { passive: false },
    );
    this.svg.addEventListener("pointerdown", (event) => {
      from = { ...this.place(event), box: [...this.box] };
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!from || !event.buttons) return;
      const { x, y } = this.place(event);
      this.box = [
        from.box[0] - (x - from.x) * from.size,
        from.box[1] - (y - from.y) * from.size,
        from.box[2],
        from.box[3],
      ];
      this.show();
    });
    for (const name of ["pointerup", "pointerleave"])
      this.svg.addEventListener(name, () => {
        from = null;
      });
  }
}

/** The largest change of a variable at the date, as a share, and in words. */
function changeOf(explorer, place) {
  const variable = explorer.contents.variables[place];
  let found = { share: 0, name: variable.name, text: "no change" };
  for (const output of variable.outputs) {
    const [now, before] = [explorer.now, explorer.reference].map((run) =>
      valueAt(explorer.times, run.series(output), explorer.date),
    );
    const share = (now - before) / Math.abs(before) || 0;
    if (Math.abs(share) > Math.abs(found.share)) {
      found = {
        share,
        name: explorer.nameOf(output),
        text: `${formatNumber(before)} to ${formatNumber(now)} ${explorer.unitsOf(output)} ${formatPercent(before, now)}`,
      };
    }
  }
  return found;
}

function boundsOf(view) {
  const xs = view.words.flatMap(({ at, half }) => [at[0] - half[0], at[0] + half[0]]);
  const ys = view.words.flatMap(({ at, half }) => [at[1] - half[1], at[1] + half[1]]);
  for (const { points } of view.lines) {
    points.forEach((value, at) => {
      (at % 2 ? ys : xs).push(value);
    });
  }
  const [left, top] = [Math.min(...xs) - 12, Math.min(...ys) - 12];
  return [left, top, Math.max(...xs) - left + 12, Math.max(...ys) - top + 12];
}

function wordShape(word, diagram) {
  const [x, y] = word.at;
  const [width, height] = word.half;
  const parts = [shape("title", { text: word.text.join(" ") })];
  if (word.kind === "valve") parts.push(shape("path", { class: "symbol", d: valvePath(word, width, height) }));
  else if (word.kind === "cloud")
    parts.push(shape("ellipse", { class: "symbol", cx: x, cy: y, rx: width, ry: 0.8 * height }));
  else {
    const round = word.round ? height : 2;
    parts.push(
      shape("rect", { class: "paper", x: x - width, y: y - height, width: 2 * width, height: 2 * height, rx: round }),
    );
    parts.push(
      shape("rect", {
        class: `ground${word.box ? " box" : ""}`,
        x: x - width,
        y: y - height,
        width: 2 * width,
        height: 2 * height,
        rx: round,
      }),
    );
  }
  const line = 1.15 * word.size;
  word.text.forEach((text, at) => {
    const properties = {
      x,
      y: y + (at - (word.text.length - 1) / 2) * line + 0.35 * word.size,
      "text-anchor": "middle",
      "font-size": word.size,
      text: `${text} `, // the blank separates lines for a screen reader
    };
    if (word.bold) properties["font-weight"] = "bold";
    parts.push(shape("text", properties));
  });
  const known = word.variable !== undefined;
  const choose = () => diagram.choose(word.variable);
  return shape(
    "g",
    {
      class: `word ${word.kind}${word.shadow ? " shadow" : ""}${known ? " known" : ""}`,
      ...(known && {
        tabindex: 0,
        role: "button",
        "aria-label": word.text.join(" "),
        onclick: choose,
        onkeydown: (event) => ["Enter", " "].includes(event.key) && choose(),
      }),
    },
    parts,
  );
}

function valvePath({ at: [x, y], upright }, width, height) {
  const corners = upright
    ? [
        [-width, -height],
        [width, -height],
        [-width, height],
        [width, height],
      ]
    : [
        [-width, -height],
        [-width, height],
        [width, -height],
        [width, height],
      ];
  return `M${corners.map(([right, down]) => `${x + right} ${y + down}`).join("L")}Z`;
}

function lineShapes(line, unit) {
  const points = [];
  for (let at = 0; at < line.points.length; at += 2) points.push([line.points[at], line.points[at + 1]]);
  const path = `M${points.map(([x, y]) => `${x} ${y}`).join("L")}`;
  const found = line.pipe
    ? [shape("path", { class: "pipe", d: path }), shape("path", { class: "pipe inner", d: path })]
    : [shape("path", { class: `arrow${line.initial ? " initial" : ""}`, d: path })];
  if (line.head) {
    const [tip, before] = [points.at(-1), points.at(-2)];
    const size = Math.hypot(tip[0] - before[0], tip[1] - before[1]) || 1;
    const [dx, dy] = [(tip[0] - before[0]) / size, (tip[1] - before[1]) / size];
    const [long, wide] = line.pipe ? [10 * unit, 6 * unit] : [8 * unit, 3 * unit];
    const corner = (side) =>
      `${(tip[0] - long * dx + side * wide * -dy).toFixed(1)} ${(tip[1] - long * dy + side * wide * dx).toFixed(1)}`;
    found.push(
      shape("path", {
        class: line.pipe ? "head pipe-head" : "head",
        d: `M${tip.join(" ")}L${corner(1)}L${corner(-1)}Z`,
      }),
    );
  }
  if (line.delay) {
    const [x, y] = points[points.length >> 1];
    found.push(shape("text", { class: "sign", x, y, "text-anchor": "middle", "font-size": 12 * unit, text: "‖" }));
  }
  if (line.sign)
    found.push(
      shape("text", {
        class: "sign",
        x: line.at[0],
        y: line.at[1] + 4 * unit,
        "text-anchor": "middle",
        "font-size": 11 * unit,
        text: line.sign,
      }),
    );
  return found;
}

/** The card of one variable: its chart, equation, units, comment, causes and uses. */
export class VariableCard {
  constructor(explorer) {
    this.explorer = explorer;
    this.node = element("section", { class: "card", "aria-label": "Variable", hidden: true });
  }

  open(place) {
    const { explorer } = this;
    this.explorer.setOption("variable", place === null ? "" : explorer.contents.variables[place].key);
  }

  update(told) {
    const { explorer } = this;
    const variable = explorer.contents.variables.find((one) => one.key === explorer.options.variable);
    this.node.hidden = !variable;
    if (!variable) {
      this.shown = null;
      return;
    }
    if (this.shown !== variable) this.fill(variable);
    if (this.panel && told.has("options")) this.panel.width = null;
    this.panel?.draw();
  }

  fill(variable) {
    const { explorer } = this;
    this.shown = variable;
    this.panel = variable.outputs.length
      ? new Panel(explorer, explorer.panelOf(variable), { height: 170, removable: false })
      : null;
    const links = (title, places) =>
      places.length
        ? [
            element("dt", { text: title }),
            element(
              "dd",
              {},
              places.map((place) =>
                element("button", {
                  type: "button",
                  class: "link",
                  text: explorer.contents.variables[place].name,
                  onclick: () => this.open(place),
                }),
              ),
            ),
          ]
        : [];
    const facts = [
      ["kind", variable.kind],
      ["units", formatUnits(variable.units)],
      ["group", variable.group],
      ["comment", variable.comment],
    ];
    const add = element("button", {
      type: "button",
      text: "Add to the charts",
      onclick: () => explorer.setOption("add", [...new Set([...explorer.options.add, variable.key])]),
    });
    this.node.replaceChildren(
      element("header", {}, [
        element("h2", { text: variable.name }),
        element("button", {
          type: "button",
          class: "small",
          text: "×",
          "aria-label": "Close the card",
          onclick: () => this.open(null),
        }),
      ]),
      ...(this.panel ? [this.panel.node] : []),
      ...variable.equation.map((text) => element("pre", { tabindex: 0, text: `${variable.name} = ${text}` })),
      element("dl", {}, [
        ...facts
          .filter(([, text]) => text)
          .flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]),
        ...links("depends on", variable.causes),
        ...links("used by", variable.uses),
      ]),
      ...(this.panel ? [add] : []),
    );
  }
}
