// What the page knows: the runs, what the user changed, and who wants to hear of it.

import { InputNames, readAddress, writeAddress } from "./changes.js";

const DEFAULTS = {
  tab: "charts",
  diff: "",
  against: "base",
  on: "",
  rank: "",
  at: "",
  view: "",
  variable: "",
  bands: "",
  dates: [],
  off: [],
  add: [],
};
const DIFFERENCES = ["", "absolute", "percent"];
const MOST_SUBSETS = 8;

/** The state of the page, the base run, the current run, and those of the pins. */
export class Explorer {
  constructor(contents, engine, members) {
    this.contents = contents;
    this.engine = engine;
    this.members = members;
    this.times = contents.module.time.saved;
    this.inputs = contents.module.inputs;
    this.outputs = contents.module.outputs;
    this.names = new InputNames(this.inputs, contents.subscripts, contents.quoted);
    this.levers = new Map(contents.levers.map((lever) => [lever.input, lever]));
    this.owners = ownersOf(contents.variables);
    this.observed = groupBy(contents.observations, (series) => series.output);
    this.errors = new Map(contents.errors.map((error) => [error.output, error.sizes]));
    this.changes = new Map();
    this.pins = { A: null, B: null };
    this.options = { ...DEFAULTS };
    this.base = engine.simulate([]);
    this.now = this.base;
    this.pinned = { A: null, B: null };
    this.cursor = null;
    this.notices = [];
    this.listeners = [];
    this.waiting = false;
  }

  /** Call a function after each change, with what changed: `changes`, `pins`, `options`. */
  listen(listener) {
    this.listeners.push(listener);
  }

  tell(what) {
    this.pending = (this.pending ?? new Set()).add(what);
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const told = this.pending;
      this.pending = null;
      if (told.has("changes")) this.now = this.changes.size ? this.engine.simulate(this.changes) : this.base;
      for (const listener of this.listeners) listener(told);
    });
  }

  baseValue(place) {
    return this.inputs[place].value;
  }

  valueOf(place) {
    return this.changes.get(place) ?? this.baseValue(place);
  }

  setValue(place, value) {
    if (value === this.baseValue(place)) this.changes.delete(place);
    else this.changes.set(place, value);
    this.tell("changes");
  }

  /** Replace all changes; those equal to the base are none. */
  setChanges(changes) {
    this.changes = new Map([...changes].filter(([place, value]) => value !== this.baseValue(place)));
    this.tell("changes");
  }

  setPin(pin, changes) {
    this.pins[pin] = changes && new Map(changes);
    this.pinned[pin] = changes && this.engine.simulate(changes);
    this.tell("pins");
  }

  setOption(name, value) {
    this.options[name] = value;
    this.tell("options");
  }

  /** The run that others are compared with: the base, or a pinned one. */
  get reference() {
    return this.pinned[this.options.against] ?? this.base;
  }

  get referenceName() {
    return this.pinned[this.options.against] ? `pinned run ${this.options.against}` : "base";
  }

  /** The time at which contributions and the diagram are shown: what the user chose, else the end. */
  get date() {
    const chosen = Number(this.options.at);
    const [first, last] = [this.times[0], this.times.at(-1)];
    return this.options.at !== "" && chosen >= first && chosen <= last ? chosen : last;
  }

  unitsOf(output) {
    return this.outputs[output].units;
  }

  nameOf(output) {
    return this.outputs[output].cell;
  }

  /** The outputs that panels and headlines show, each once. */
  get shownOutputs() {
    const shown = this.panels.flatMap((panel) => panel.lines.map((line) => line.output));
    return [...new Set([...shown, ...this.contents.headlines.map((line) => line.output)])];
  }

  /** The panels of the model that are not hidden, and those that the user added. */
  get panels() {
    const own = this.contents.panels.filter((panel) => !this.options.off.includes(panel.title));
    const added = this.options.add.map((name) => this.contents.variables.find((variable) => variable.key === name));
    return [...own, ...added.filter((variable) => variable?.outputs.length).map((variable) => this.panelOf(variable))];
  }

  /** A panel with the numbers of one variable. */
  panelOf(variable) {
    const lines = variable.outputs
      .slice(0, 8)
      .map((output) => ({ output, label: this.outputs[output].labels.join(", ") }));
    return { title: variable.name, scale: "", lines, added: variable.key };
  }

  /** The headline whose contributions are shown. */
  get subject() {
    const known = this.shownOutputs;
    const chosen = known.find((output) => this.nameOf(output) === this.options.on);
    return chosen ?? this.contents.headlines[0]?.output ?? known[0];
  }

  get canAttribute() {
    return this.changes.size <= MOST_SUBSETS;
  }

  addressText() {
    const options = Object.entries(this.options).filter(([name, value]) => String(value) !== String(DEFAULTS[name]));
    const state = { changes: this.changes, pins: this.pins, options: Object.fromEntries(options) };
    return writeAddress(state, this.names, this.contents.model.sha256);
  }

  /** Take the state from an address; `notices` then say what could not be taken. */
  readAddress(text) {
    const found = readAddress(text, this.names);
    this.notices = [];
    if (found.model && found.model !== this.contents.model.sha256.slice(0, 12)) {
      this.notices.push(
        `This link was made with another version of the model (${found.model}; this page has ${this.contents.model.sha256.slice(0, 12)}), so its numbers may differ.`,
      );
    }
    if (found.unknown.length)
      this.notices.push(`The model of this page has no constant for: ${found.unknown.join("; ")}.`);
    for (const name of Object.keys(DEFAULTS)) {
      const values = found.fields.getAll(name);
      this.options[name] = Array.isArray(DEFAULTS[name]) ? values : (values[0] ?? DEFAULTS[name]);
    }
    if (!DIFFERENCES.includes(this.options.diff)) this.options.diff = "";
    for (const pin of ["A", "B"]) this.setPin(pin, found.pins[pin]);
    this.setChanges(found.changes);
    this.tell("options");
  }
}

function ownersOf(variables) {
  const found = new Map();
  variables.forEach((variable, place) => {
    for (const output of variable.outputs) found.set(output, place);
  });
  return found;
}

function groupBy(items, keyOf) {
  const found = new Map();
  for (const item of items) found.set(keyOf(item), [...(found.get(keyOf(item)) ?? []), item]);
  return found;
}
