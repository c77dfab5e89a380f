// Work of many runs, in parts between which newer work can take over: members, subsets of levers, a ranking.

import { LEVELS, quantilesOf, shapleyValues } from "./statistics.js";

const PART = 40; // milliseconds of work between two looks for newer work
const MOST_NUMBERS = 2e7; // of all members together; further outputs get no bands
const FIRST_BANDS = 24; // bands are drawn after this many members, and each time there are four times as many

/**
 * Runs jobs on one engine. A job has a `kind`; a newer one of the same kind replaces it. `report(message)` gets the
 * results as `{kind, token, ...}`.
 */
export class Jobs {
  constructor(engine, members, report) {
    this.engine = engine;
    this.members = members;
    this.report = report;
    this.latest = {};
    this.kinds = {
      members: (job) => this.runMembers(job),
      subsets: (job) => this.runSubsets(job),
      ranking: (job) => this.rank(job),
    };
  }

  async start(job) {
    this.latest[job.kind] = job.token;
    await pause();
    if (this.latest[job.kind] === job.token) await this.kinds[job.kind](job);
  }

  /** Run several sets of changes, calling `keep(index, bad)` after each; false if newer work came up. */
  async runAll(job, count, changesOf, keep, memberOf = () => 0) {
    let since = performance.now();
    for (let at = 0; at < count; at++) {
      await keep(at, this.engine.run(changesOf(at), memberOf(at)));
      if (performance.now() - since > PART) {
        this.report({ kind: job.kind, token: job.token, done: at + 1, count });
        await pause();
        if (this.latest[job.kind] !== job.token) return false;
        since = performance.now();
      }
    }
    return true;
  }

  /** Quantiles over the members; what the user changes has the user's value in every member, random numbers are its own. */
  async runMembers({ kind, token, changes, outputs: wanted, count }) {
    const { inputs, values } = this.members;
    const times = this.engine.times;
    const outputs = wanted.slice(0, Math.max(1, Math.floor(MOST_NUMBERS / (times * count))));
    const size = outputs.length * times;
    const columns = new Float64Array(size * count);
    const changesOf = (member) => {
      const found = new Map(inputs.map((input, at) => [input, values[member * inputs.length + at]]));
      for (const [input, value] of changes) found.set(input, value);
      return found;
    };
    let next = FIRST_BANDS;
    const bandsOf = (done) => {
      const bands = new Float64Array(outputs.length * LEVELS.length * times);
      for (let place = 0; place < size; place++) {
        const output = Math.floor(place / times);
        const found = quantilesOf(columns.slice(place * count, place * count + done));
        found.forEach((value, level) => {
          bands[(output * LEVELS.length + level) * times + (place % times)] = value;
        });
      }
      return bands;
    };
    let broken = 0;
    const keep = async (member, bad) => {
      if (bad) broken++;
      outputs.forEach((output, at) => {
        const series = this.engine.outputs[output];
        for (let time = 0; time < times; time++) columns[(at * times + time) * count + member] = series[time];
      });
      if (member + 1 === next && next < count) {
        this.report({ kind, token, done: next, count, outputs, bands: bandsOf(next) });
        next *= 4;
      }
    };
    if (await this.runAll({ kind, token }, count, changesOf, keep, (member) => member)) {
      this.report({ kind, token, done: count, count, outputs, bands: bandsOf(count), broken, finished: true });
    }
  }

  /** The contribution of each lever to outputs over time: alone, and as its Shapley value. */
  async runSubsets({ kind, token, levers, outputs }) {
    const results = [];
    const changesOf = (code) => levers.filter((_, at) => (code >> at) & 1);
    const keep = async () => results.push(this.engine.copy(outputs));
    if (await this.runAll({ kind, token }, 2 ** levers.length, changesOf, keep)) {
      const shapley = shapleyValues(results, levers.length);
      const alone = levers.map((_, at) => results[1 << at].map((value, place) => value - results[0][place]));
      const total = results.at(-1).map((value, place) => value - results[0][place]);
      this.report({ kind, token, levers, outputs, shapley, alone, total, base: results[0], finished: true });
    }
  }

  /** Outputs with each lever alone at the two ends of its range, everything else as it is. */
  async rank({ kind, token, changes, levers, outputs }) {
    const results = [];
    const changesOf = (at) => {
      const lever = levers[Math.floor(at / 2)];
      return new Map([...changes, [lever.input, lever.ends[at % 2]]]);
    };
    const keep = async () => results.push(this.engine.copy(outputs));
    if (await this.runAll({ kind, token }, 2 * levers.length, changesOf, keep)) {
      this.report({ kind, token, levers, outputs, results, finished: true });
    }
  }
}

/** Let other events in. */
function pause() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
