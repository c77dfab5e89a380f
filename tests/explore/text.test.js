import assert from "node:assert/strict";
import { test } from "node:test";
import {
  linearDomain,
  logTicks,
  makeScale,
  niceTicks,
  sharedPower,
  tickText,
} from "../../sdmodel/explore/scripts/axes.js";
import { csvEntry, formatNumber, formatPercent, formatSigned, key } from "../../sdmodel/explore/scripts/text.js";

test("names are equal without regard to case, blanks, underscores and quotes", () => {
  for (const name of ["Ghost Compute", " ghost_compute ", '"ghost  compute"', "GHOST\n\tCOMPUTE"])
    assert.equal(key(name), "ghost_compute");
  assert.equal(key("rush!"), "rush!_");
  assert.equal(key('"'), '"');
});

test("numbers have four digits, thousands separators and a typographic minus", () => {
  const found = [0, 1234567, -0.51234, 2e-7, 12.5, Number.NaN].map((value) => formatNumber(value));
  assert.deepEqual(found, ["0", "1,234,567", "−0.5123", "2e−7", "12.5", "–"]);
  assert.equal(formatNumber(2028.25, "Year"), "2028.25");
  assert.equal(formatSigned(2), "+2");
});

test("changes in percent have three digits, and none from zero", () => {
  assert.deepEqual(
    [formatPercent(2, 1), formatPercent(3, 4), formatPercent(1, 1), formatPercent(0, 1)],
    ["−50 %", "+33.3 %", "0 %", ""],
  );
});

test("entries with commas, quotes and line breaks are quoted in CSV", () => {
  assert.deepEqual(["a", "a,b", 'a"b', "a\nb"].map(csvEntry), ["a", '"a,b"', '"a""b"', '"a\nb"']);
});

test("ticks are round and inside the axis", () => {
  assert.deepEqual(niceTicks(0, 10, 4), [0, 2.5, 5, 7.5, 10]);
  assert.deepEqual(niceTicks(2022, 2032, 2), [2025, 2030]);
  assert.deepEqual(logTicks(1, 1e5), [1, 10, 100, 1000, 1e4, 1e5]);
  assert.deepEqual([niceTicks(3, 3, 4), niceTicks(0, 5e-324, 4), makeScale(2, 2, 10, 90)(2)], [[3], [0], 10]);
  assert.deepEqual(linearDomain(1, 10), [0, 10.36]);
  assert.deepEqual([sharedPower(2.5e7), sharedPower(50), tickText(1e7), tickText(-2)], [6, 0, "10⁷", "−2"]);
});
