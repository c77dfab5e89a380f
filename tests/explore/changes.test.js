import assert from "node:assert/strict";
import { test } from "node:test";
import {
  InputNames,
  readAddress,
  readChanges,
  writeAddress,
  writeChanges,
} from "../../sdmodel/explore/scripts/changes.js";

const input = (name, labels, value) => ({ name, labels, cell: labels.length ? `${name}[${labels}]` : name, value });
const names = new InputNames(
  [input("Tax Rate", [], 0.2), input("share", ["north"], 1), input("share", ["south"], 2), input("a=b & c", [], 3)],
  { region: ["north", "south"] },
  { 3: '"a=b & c"' },
);

test("a change file comes back as it was written", () => {
  const changes = new Map([
    [0, 0.1 + 0.2],
    [2, -1e-12],
    [3, 5],
  ]);
  const text = writeChanges(changes, names, "so {called}\nname");
  assert.match(text, /^\{UTF-8\}\n\{so {2}called {2}name\}\nTax Rate = 0\.30000000000000004\n/);
  assert.deepEqual(readChanges(text, names), { changes, refused: [] });
});

test("a change file may name a whole array, a range or a label, and give one number per cell", () => {
  const read = (text) => [...readChanges(text, names).changes];
  assert.deepEqual(read("share = 7"), [
    [1, 7],
    [2, 7],
  ]);
  assert.deepEqual(read("SHARE[Region] = 1,\n 4"), [
    [1, 1],
    [2, 4],
  ]);
  assert.deepEqual(read("{about} share[south]=.5 ;\r\n"), [[2, 0.5]]);
});

test("what a page cannot set is refused and named", () => {
  const { changes, refused } = readChanges(
    "tax rate = 1\nunknown = 2\ntable((0,0),(1,1))\nshare = 1,2,3\ntax rate = x",
    names,
  );
  assert.deepEqual([...changes], [[0, 1]]);
  assert.deepEqual(refused, ["unknown = 2", "table((0,0),(1,1))", "share = 1,2,3", "tax rate = x"]);
});

test("an address comes back as it was written, also names with = and &", () => {
  const state = {
    changes: new Map([
      [3, 2.5],
      [1, -4],
    ]),
    pins: { A: new Map(), B: new Map([[0, 0.3]]) },
    options: { tab: "table", dates: ["2", "5"], on: "" },
  };
  const found = readAddress(`#${writeAddress(state, names, "0123456789abcdef")}`, names);
  assert.equal(found.model, "0123456789ab");
  assert.deepEqual(found.changes, state.changes);
  assert.deepEqual(found.pins, state.pins);
  assert.deepEqual(
    [found.fields.get("tab"), found.fields.getAll("dates"), found.fields.has("on")],
    ["table", ["2", "5"], false],
  );
  assert.deepEqual(found.unknown, []);
});

test("an address with names or values that mean nothing says so", () => {
  const found = readAddress("#c=gone%3D1&c=Tax+Rate%3Dhigh&c=Tax+Rate%3D&c=&c=Tax+Rate%3D0.5", names);
  assert.deepEqual([...found.changes], [[0, 0.5]]);
  assert.equal(found.unknown.length, 4);
});
