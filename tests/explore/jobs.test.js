import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { stacked } from "../../sdmodel/explore/scripts/contributions.js";
import { Jobs } from "../../sdmodel/explore/scripts/jobs.js";
import { keyboardStep, onStep } from "../../sdmodel/explore/scripts/levers.js";
import { unpack, unshuffle } from "../../sdmodel/explore/scripts/packing.js";
import {
  allSubsets,
  quantilesOf,
  shapleyValues,
  valueAt,
  withModelError,
} from "../../sdmodel/explore/scripts/statistics.js";

/** A model with one output over two times: a*b + c, and twice that; inputs are 1, 2 and 3 in the base. */
class Product {
  times = 2;
  outputs = [new Float64Array(2)];
  members = [];

  run(changes, member = 0) {
    this.members.push(member);
    const [a, b, c] = [0, 1, 2].map((place) => new Map(changes).get(place) ?? place + 1);
    this.outputs[0].set([a * b + c, 2 * (a * b + c)]);
  }

  copy(outputs) {
    return Float64Array.from(outputs.flatMap((output) => [...this.outputs[output]]));
  }
}

async function results(job, members) {
  const found = [];
  await new Jobs(new Product(), members, (message) => found.push(message)).start({ token: 1, ...job });
  return found.at(-1);
}

test("quantiles are those of NumPy, without numbers that are missing", () => {
  assert.deepEqual(quantilesOf(Float64Array.of(4, Number.NaN, 1, 3, 2), [0, 0.25, 0.5, 1]), [1, 1.75, 2.5, 4]);
  assert.ok(Number.isNaN(quantilesOf(Float64Array.of(Number.NaN))[0]));
});

test("Shapley values add up to the total and split a product evenly", () => {
  const levers = [
    [0, 4],
    [1, 6],
  ];
  const numbers = allSubsets(2).map((moved) => Float64Array.of((moved[0] ? 4 : 1) * (moved[1] ? 6 : 2)));
  const [first, second] = shapleyValues(numbers, levers.length).map((values) => values[0]);
  assert.deepEqual([first, second], [12, 10]);
  assert.equal(first + second, numbers[3][0] - numbers[0][0]);
});

test("the model error widens a band on a logarithmic scale and leaves the median", () => {
  const bands = Float64Array.of(1, 2, 4, 8, 16);
  const wide = withModelError(bands, [0.5]);
  assert.equal(wide[2], 4);
  assert.ok(Math.abs(Math.log(wide[4] / 4) - Math.hypot(Math.log(4), 1.6448536269514722 * 0.5)) < 1e-12);
  assert.deepEqual(withModelError(bands, [0]), bands);
});

test("series are interpolated between saved times", () => {
  assert.deepEqual(
    [0, 0.5, 1, 3].map((time) => valueAt([0, 1, 2], [1, 3, 9], time)),
    [1, 2, 3, 9],
  );
});

test("subsets of levers give contributions that add up at every time", async () => {
  const found = await results({
    kind: "subsets",
    levers: [
      [0, 2],
      [1, 5],
      [2, 0],
    ],
    outputs: [0],
  });
  const sums = [0, 1].map((at) => found.shapley.reduce((sum, values) => sum + values[at], 0));
  assert.deepEqual([...found.total], [10 - 5, 20 - 10]);
  sums.forEach((sum, at) => {
    assert.ok(Math.abs(sum - found.total[at]) < 1e-12);
  });
  assert.deepEqual([...found.alone[2]], [-3, -6]);
});

test("members are sampled except for what the user changed", async () => {
  const members = { inputs: [0, 1], values: Float64Array.of(1, 1, 2, 1, 3, 1), count: 3 };
  const free = await results({ kind: "members", changes: [], outputs: [0], count: 3 }, members);
  assert.deepEqual([free.bands[4], free.finished], [5, true]); // the median of a*b + c at the first time
  const fixed = await results({ kind: "members", changes: [[0, 10]], outputs: [0], count: 3 }, members);
  assert.deepEqual([fixed.bands[0], fixed.bands[8], fixed.broken], [13, 13, 0]); // no spread is left
});

test("members have random numbers of their own, and all other runs have the same", async () => {
  const engine = new Product();
  const members = { inputs: [0], values: Float64Array.of(1, 2, 3), count: 3 };
  const jobs = new Jobs(engine, members, () => {});
  await jobs.start({ kind: "members", token: 1, changes: [], outputs: [0], count: 3 });
  assert.deepEqual(engine.members, [0, 1, 2]);
  await jobs.start({ kind: "subsets", token: 2, levers: [[0, 2]], outputs: [0] });
  assert.deepEqual(engine.members.slice(3), [0, 0]);
});

test("a newer job replaces an older one of its kind", async () => {
  const found = [];
  const jobs = new Jobs(new Product(), null, (message) => found.push(message));
  const lever = { input: 0, ends: [0, 2] };
  await Promise.all(
    [1, 2].map((token) => jobs.start({ kind: "ranking", token, changes: [], levers: [lever], outputs: [0] })),
  );
  assert.deepEqual(
    found.map((message) => message.token),
    [2],
  );
  assert.deepEqual(
    found[0].results.map((values) => values[0]),
    [3, 7],
  );
});

test("layers of a stack lie above zero or below it", () => {
  const [first, second, third] = stacked(
    [
      [2, -1],
      [3, -2],
      [-1, 4],
    ],
    2,
  );
  assert.deepEqual(
    [[...first.high], [...second.high], [...third.low]],
    [
      [2, 0],
      [5, -1],
      [-1, 0],
    ],
  );
  assert.deepEqual([...second.low], [2, -3]);
});

test("sliders move by steps of the model, and can reach the base value and both ends", () => {
  const lever = { input: 0, range: [0.3, 1.82], step: 0.05 };
  const explorer = { baseValue: () => 0.8594 };
  assert.deepEqual(
    [0.42, 0.86, 1.815].map((value) => onStep(lever, value, explorer)),
    [0.4, 0.8594, 1.82],
  );
  assert.deepEqual(
    ["ArrowRight", "PageDown", "Home", "End", "a"].map((name) => keyboardStep(name, lever, 0.5)),
    [0.55, 0.3, 0.3, 1.82, null],
  );
});

test("parts of the page are unpacked to the last bit", async () => {
  const numbers = Float64Array.of(Math.PI, -0, 1e300, 5e-324);
  const bytes = new Uint8Array(numbers.buffer);
  const shuffled = Uint8Array.from({ length: 32 }, (_, at) => bytes[8 * (at % 4) + Math.floor(at / 4)]);
  const unpacked = await unpack(deflateSync(shuffled).toString("base64"));
  assert.deepEqual(unshuffle(unpacked), numbers);
});
