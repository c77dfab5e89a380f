// The compiled model: sets constants, runs, and gives series of outputs.

/** All outputs of one run: `values` of shape (outputs, times), and what went wrong, or an empty text. */
export class Run {
  constructor(values, times, fault) {
    this.values = values;
    this.times = times;
    this.fault = fault;
  }

  series(output) {
    return this.values.subarray(output * this.times, (output + 1) * this.times);
  }
}

/** One instance of the compiled model; a worker needs its own. */
export class Engine {
  static async load(code, description) {
    const { instance } = await WebAssembly.instantiate(code, { Math });
    return new Engine(instance.exports, description);
  }

  constructor(module, description) {
    this.module = module;
    this.description = description;
    this.times = description.time.saved.length;
    const floats = (offset, count) => new Float64Array(module.memory.buffer, offset, count);
    this.inputs = description.inputs.map((input) => floats(input.offset, 1));
    this.outputs = description.outputs.map((output) => floats(output.offset, this.times));
    this.faultTime = floats(description.status.fault_time, 1);
    this.member = description.random.member === undefined ? null : floats(description.random.member, 1);
    this.changed = new Set();
  }

  /**
   * Run with changes, a list or map of inputs and values; all other inputs have their base values.
   * The random numbers are those of a member.
   */
  run(changes, member = 0) {
    if (this.member) this.member[0] = member;
    for (const place of this.changed) this.inputs[place][0] = this.description.inputs[place].value;
    this.changed.clear();
    for (const [place, value] of changes) {
      this.inputs[place][0] = value;
      this.changed.add(place);
    }
    return this.module.run();
  }

  /** The series of some outputs of the last run, one after the other, as a copy. */
  copy(outputs) {
    const found = new Float64Array(outputs.length * this.times);
    outputs.forEach((output, at) => {
      found.set(this.outputs[output], at * this.times);
    });
    return found;
  }

  /** Run with changes and return all outputs. */
  simulate(changes) {
    const bad = this.run(changes);
    const values = new Float64Array(this.outputs.length * this.times);
    this.outputs.forEach((series, at) => {
      values.set(series, at * this.times);
    });
    return new Run(values, this.times, bad ? this.describeFault() : "");
  }

  describeFault() {
    const cell = this.module.find_fault();
    const name = cell < 0 ? "a variable" : `'${this.description.cells[cell]}'`;
    return `${name} is not finite from time ${this.faultTime[0]}; numbers after it are missing`;
  }
}
