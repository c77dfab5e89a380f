// Quantiles of members, bands with the model error, and contributions of levers.

export const LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95];
const SCORES = [-1.6448536269514722, -0.6744897501960817, 0, 0.6744897501960817, 1.6448536269514722];

/** The quantiles of numbers, interpolated between neighbours as NumPy does; the array is sorted in place. */
export function quantilesOf(values, levels = LEVELS) {
  const finite = values.filter(Number.isFinite).sort();
  const last = finite.length - 1;
  return levels.map((level) => {
    if (last < 0) return Number.NaN;
    const at = level * last;
    const low = Math.floor(at);
    return finite[low] + (at - low) * (finite[Math.min(low + 1, last)] - finite[low]);
  });
}

/**
 * Bands over time from quantiles, with the model error: on a logarithmic scale the distance of a quantile from the
 * median m becomes the root of (ln q - ln m)^2 + (z e)^2, with z the normal quantile of the level.
 */
export function withModelError(bands, sizes) {
  const times = sizes.length;
  const wide = bands.slice();
  for (let at = 0; at < times; at++) {
    const centre = Math.log(bands[2 * times + at]);
    for (let level = 0; level < LEVELS.length; level++) {
      const far = Math.hypot(Math.log(bands[level * times + at]) - centre, SCORES[level] * sizes[at]);
      const moved = Math.exp(centre + Math.sign(SCORES[level]) * far);
      if (sizes[at] > 0 && Number.isFinite(moved)) wide[level * times + at] = moved;
    }
  }
  return wide;
}

/** All subsets of some levers: subset k moves lever i where bit i of k is set. */
export function allSubsets(count) {
  return Array.from({ length: 2 ** count }, (_, code) => Array.from({ length: count }, (__, at) => (code >> at) & 1));
}

/**
 * The Shapley value of each lever: its mean effect over all orders in which the levers can be changed.
 * `results[k]` are the numbers with the levers of subset k; returns one array of numbers per lever, which sum to the total.
 */
export function shapleyValues(results, count) {
  const size = results[0].length;
  const weights = Array.from(
    { length: count },
    (_, own) => (factorial(own) * factorial(count - own - 1)) / factorial(count),
  );
  return Array.from({ length: count }, (_, lever) => {
    const found = new Float64Array(size);
    for (let code = 0; code < results.length; code++) {
      if ((code >> lever) & 1) continue;
      const weight = weights[bits(code)];
      const [without, having] = [results[code], results[code | (1 << lever)]];
      for (let at = 0; at < size; at++) found[at] += weight * (having[at] - without[at]);
    }
    return found;
  });
}

function bits(code) {
  let count = 0;
  for (let rest = code; rest; rest >>= 1) count += rest & 1;
  return count;
}

function factorial(count) {
  return count < 2 ? 1 : count * factorial(count - 1);
}

/** The value of a series at a time, interpolated between saved times; the nearest end outside them. */
export function valueAt(times, series, time) {
  const last = times.length - 1;
  if (time <= times[0]) return series[0];
  if (time >= times[last]) return series[last];
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle;
    else high = middle;
  }
  const share = (time - times[low]) / (times[high] - times[low]);
  return share === 0 ? series[low] : series[low] + share * (series[high] - series[low]);
}
