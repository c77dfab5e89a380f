// Changes of constants as text: Vensim's change files (`.cin`) and the part of the address after `#`.

import { key } from "./text.js";

const NAME = String.raw`(?:"(?:[^"\\]|\\.)*"|[^"=\[\](){}]+)`;
const LINE = new RegExp(String.raw`^\s*(${NAME})\s*(?:\[([^\]]*)\])?\s*=\s*([-+.\deE\s,;]+?)\s*;?\s*$`, "s");
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;

/** Finds inputs of the compiled module by the names that files use. */
export class InputNames {
  constructor(inputs, subscripts, quoted = {}) {
    this.inputs = inputs;
    this.subscripts = subscripts;
    this.quoted = quoted;
    this.elements = new Map();
    inputs.forEach((input, place) => {
      const name = key(input.name);
      if (!this.elements.has(name)) this.elements.set(name, []);
      this.elements.get(name).push({ place, labels: input.labels.map(key) });
    });
  }

  /** The places of the inputs of that name; `labels` may name labels or whole ranges. Empty if there are none. */
  find(name, labels = []) {
    const cells = this.elements.get(key(name)) ?? [];
    const wanted = labels.map((label) => new Set(this.subscripts[key(label)] ?? [key(label)]));
    return cells
      .filter((cell) => !wanted.length || cell.labels.length === wanted.length)
      .filter((cell) => wanted.every((known, axis) => known.has(cell.labels[axis])))
      .map((cell) => cell.place);
  }

  /** The place of an input by its whole name, as `name` writes it; -1 if there is none. */
  findCell(text) {
    return this.inputs.findIndex((input) => key(input.cell) === key(text));
  }

  /** The name of an input as a file needs it. */
  quote(place) {
    return this.quoted[place] ?? this.inputs[place].cell;
  }
}

/** The changes in the text of a change file, by input, and the lines that cannot be applied. */
export function readChanges(text, names) {
  const changes = new Map();
  const refused = [];
  const plain = text.replace(/^\uFEFF/, "").replace(/\{[^{}]*\}/g, "");
  const lines = plain.replace(/([=,])[ \t]*\r?\n/g, "$1 ").split(/\r\n?|\n/);
  for (const line of lines.filter((own) => own.trim() && !own.trim().startsWith(":"))) {
    const found = LINE.exec(line);
    const values = found ? found[3].split(/[,;]/).map((entry) => entry.trim()) : [];
    const places = found ? names.find(found[1], found[2]?.split(",") ?? []) : [];
    const numbers = values.every((entry) => NUMBER.test(entry)) ? values.map(Number) : [];
    if (!places.length || !numbers.every(Number.isFinite) || ![1, places.length].includes(numbers.length)) {
      refused.push(line.trim().slice(0, 80));
    } else {
      places.forEach((place, at) => {
        changes.set(place, numbers[numbers.length > 1 ? at : 0]);
      });
    }
  }
  return { changes, refused };
}

/** The text of a change file. */
export function writeChanges(changes, names, comment = "") {
  const about = comment.replace(/[{}\r\n]/g, " ").trim();
  const lines = [...changes].map(([place, value]) => `${names.quote(place)} = ${value}`);
  return `${["{UTF-8}", ...(about ? [`{${about}}`] : []), ...lines].join("\n")}\n`;
}

/** The part of an address after `#` for a state: changes and pins by name, so that they survive a change of the model. */
export function writeAddress(state, names, sha256) {
  const found = new URLSearchParams();
  const add = (field, changes) => {
    for (const [place, value] of changes) found.append(field, `${names.inputs[place].cell}=${value}`);
  };
  found.set("m", sha256.slice(0, 12));
  add("c", state.changes);
  for (const pin of ["A", "B"]) {
    if (state.pins[pin]) {
      found.append("pin", pin);
      add(pin, state.pins[pin]);
    }
  }
  for (const [field, value] of Object.entries(state.options)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== "") found.append(field, one);
  }
  return found.toString();
}

/** The state in the part of an address after `#`; `unknown` are the names that the model lacks. */
export function readAddress(text, names) {
  const found = new URLSearchParams(text.replace(/^#/, ""));
  const unknown = [];
  const read = (field) => {
    const changes = new Map();
    for (const entry of found.getAll(field)) {
      const at = entry.lastIndexOf("=");
      const place = names.findCell(entry.slice(0, at));
      const value = at < 0 || !entry.slice(at + 1).trim() ? Number.NaN : Number(entry.slice(at + 1));
      if (place < 0 || !Number.isFinite(value)) unknown.push(entry.slice(0, 80));
      else changes.set(place, value);
    }
    return changes;
  };
  const pinned = found.getAll("pin");
  const pin = (name) => (pinned.includes(name) ? read(name) : null);
  return {
    model: found.get("m") ?? "",
    changes: read("c"),
    pins: { A: pin("A"), B: pin("B") },
    fields: found,
    unknown,
  };
}
