// Scales and ticks of charts.

/** A scale from numbers to pixels, linear or logarithmic. */
export function makeScale(low, high, from, to, logarithmic = false) {
  const map = logarithmic ? Math.log : (value) => value;
  const [start, end] = [map(low), map(high)];
  const factor = (to - from) / (end - start);
  const scale = (value) => from + (Number.isFinite(factor) ? (map(value) - start) * factor : 0);
  return Object.assign(scale, { low, high, logarithmic });
}

/** Round numbers between two ends, about as many as asked for. */
export function niceTicks(low, high, count) {
  if (!(high - low > Number.MIN_VALUE / Number.EPSILON)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

/** Powers of ten between two ends, with 2 and 5 where there are few of them. */
export function logTicks(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const factors = Math.log10(high / low) > 3 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = first; power <= last; power++) for (const factor of factors) found.push(factor * 10 ** power);
  const inside = found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  const every = Math.ceil(inside.length / 7);
  return inside.length < 2 ? niceTicks(low, high, 3) : inside.filter((_, at) => at % every === 0);
}

/** The ends of a linear axis: from 0 if all numbers are positive and vary by more than half. */
export function linearDomain(low, high) {
  if (!Number.isFinite(low)) return [0, 1];
  if (low === high) return low === 0 ? [0, 1] : low > 0 ? [0, 1.5 * low] : [1.5 * low, 0];
  const space = 0.04 * (high - low);
  if (low >= 0 && low <= high / 2) return [0, high + space];
  return [low - space, high + space];
}

/** The power of ten, a multiple of three, to take out of long numbers; 0 if they are short. */
export function sharedPower(largest) {
  return largest === 0 || (largest >= 1e-2 && largest < 1e5) ? 0 : 3 * Math.floor(Math.log10(largest) / 3);
}

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

export function powerText(power) {
  return `10${String(power).replace(/./g, (sign) => RAISED[sign])}`;
}

export function tickText(value) {
  const size = Math.abs(value);
  if (size && (size >= 1e6 || size < 1e-4)) {
    const [mantissa, exponent] = value.toExponential(0).split("e");
    return mantissa === "1" ? powerText(Number(exponent)) : `${mantissa}·${powerText(Number(exponent))}`;
  }
  return String(Number(value.toPrecision(6))).replace("-", "−");
}
