// Names and numbers as people and Vensim write them.

/** The form of a name in which two spellings of it are equal: case, blanks and underscores do not matter. */
export function key(name) {
  const found = unquote(name.trim())
    .replace(/[\s_]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
  return found.endsWith("!") ? `${found}_` : found || "_";
}

function unquote(text) {
  return /^"(?:[^"\\]|\\.)*"$/s.test(text) ? text.slice(1, -1).replaceAll('\\"', '"') : text;
}

/** A number with four significant digits and separators for thousands; a year gets no separator. */
export function formatNumber(value, units = "") {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size === 0) return size === 0 ? "0" : Number.isNaN(value) ? "–" : minus(String(value));
  if (size >= 1e9 || size < 1e-4) {
    const [mantissa, exponent] = value.toExponential(3).split("e");
    return minus(`${trimmed(mantissa)}e${Number(exponent)}`);
  }
  if (size >= 1000) {
    if (/^(years?|yrs?|date)$/i.test(units.trim())) return minus(trimmed(value.toFixed(2)));
    return minus(Math.round(value).toLocaleString("en-US"));
  }
  return minus(trimmed(value.toPrecision(4)));
}

/** A number as it was written, without the digits that binary rounding adds. */
export function formatExact(value) {
  return String(Number(value.toPrecision(12)));
}

/** A difference with its sign. */
export function formatSigned(value, units = "") {
  return `${value > 0 ? "+" : ""}${formatNumber(value, units)}`;
}

/** The change from one number to another in percent, with its sign; empty if it has none. */
export function formatPercent(from, to) {
  const share = (100 * (to - from)) / Math.abs(from);
  if (!Number.isFinite(share)) return "";
  if (share === 0) return "0 %";
  const decimals = Math.min(Math.max(2 - Math.floor(Math.log10(Math.abs(share))), 0), 3);
  return `${minus(`${share > 0 ? "+" : ""}${Number(share.toFixed(decimals)).toLocaleString("en-US")}`)} %`;
}

/** Units as people read them. */
export function formatUnits(units) {
  return /^dmnl$/i.test(units) ? "dimensionless" : units.replaceAll("_", " ");
}

function trimmed(digits) {
  return digits.includes(".") && !digits.includes("e") ? digits.replace(/\.?0+$/, "") : digits;
}

function minus(text) {
  return text.replaceAll("-", "−");
}

/** A text as one entry of a comma-separated file. */
export function csvEntry(value) {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
