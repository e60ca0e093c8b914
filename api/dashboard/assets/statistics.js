/**
 * Figures of prices. Pure functions of numbers; what cannot be said from so few of them is null.
 *
 * @typedef {{time: number, price: number}} Point milliseconds since 1970, and a price above 0; points stand in order of time
 */

const YEAR = 365 * 86_400_000;
/** Two pairs always lie on a line, so their correlation would say nothing. */
const FEWEST_PAIRS = 3;

/**
 * The times at which every series has a point.
 *
 * @param {Point[][]} series
 * @returns {number[]} in order
 */
export function commonTimes(series) {
  if (series.length === 0) return [];
  const [first, ...others] = series.map((points) => new Set(points.map(({ time }) => time)));
  return [...first].filter((time) => others.every((times) => times.has(time)));
}

/**
 * The first time at which every series has a point: there all lines of a comparison stand at 0 %.
 *
 * @param {Point[][]} series
 * @returns {number | null}
 */
export function commonStart(series) {
  return commonTimes(series)[0] ?? null;
}

/**
 * p / b - 1, in percent.
 *
 * @param {number} base b
 * @param {number} price p
 * @returns {number}
 */
export function percentChange(base, price) {
  return (price / base - 1) * 100;
}

/**
 * The return over all points: p_last / p_first - 1, in percent.
 *
 * @param {Point[]} points
 * @returns {number | null}
 */
export function totalReturn(points) {
  return points.length < 2 ? null : percentChange(points[0].price, points.at(-1).price);
}

/**
 * Log returns from each point to the next, brought to the length of a year:
 * ln(p_i / p_(i-1)) / sqrt(t_i - t_(i-1)), time in years of 365 days.
 *
 * The root makes returns over unlike distances comparable, as prices that wander do: a gap weighs no more than a step.
 *
 * @param {Point[]} points
 * @returns {number[]} one fewer than points
 */
function yearlyReturns(points) {
  return points.slice(1).map(({ time, price }, at) => {
    const before = points[at];
    return Math.log(price / before.price) / Math.sqrt((time - before.time) / YEAR);
  });
}

/**
 * The volatility of a year, in percent: the sample standard deviation of `yearlyReturns`. Where points are evenly spaced
 * that is the standard deviation of log returns times the root of their number in a year.
 *
 * @param {Point[]} points
 * @returns {number | null} null for fewer than two returns
 */
export function volatility(points) {
  const deviation = standardDeviation(yearlyReturns(points));
  return deviation === null ? null : deviation * 100;
}

/**
 * The greatest fall from a peak to a later point: min over i of p_i / max(p_0 .. p_i) - 1, in percent.
 *
 * @param {Point[]} points
 * @returns {number | null} 0 where no price fell, else below 0
 */
export function greatestDrawdown(points) {
  if (points.length < 2) return null;
  let peak = 0;
  let worst = 0;
  for (const { price } of points) {
    peak = Math.max(peak, price);
    worst = Math.min(worst, price / peak - 1);
  }
  return worst * 100;
}

/**
 * How two prices move together: the correlation of their `yearlyReturns` over the times that both have.
 *
 * @param {Point[]} one
 * @param {Point[]} other
 * @returns {number | null} -1 .. 1
 */
export function returnCorrelation(one, other) {
  const times = new Set(commonTimes([one, other]));
  const [ours, theirs] = [one, other].map((points) => yearlyReturns(points.filter(({ time }) => times.has(time))));
  return correlation(ours, theirs);
}

/**
 * Pearson's correlation: sum((x - mx)(y - my)) / sqrt(sum((x - mx)^2) sum((y - my)^2)).
 *
 * @param {number[]} xs
 * @param {number[]} ys as many
 * @returns {number | null} -1 .. 1; null for fewer than three pairs, or where one of both never changes
 */
function correlation(xs, ys) {
  if (xs.length < FEWEST_PAIRS) return null;
  const [mx, my] = [mean(xs), mean(ys)];
  let [both, ofX, ofY] = [0, 0, 0];
  xs.forEach((x, at) => {
    both += (x - mx) * (ys[at] - my);
    ofX += (x - mx) ** 2;
    ofY += (ys[at] - my) ** 2;
  });
  const scale = Math.sqrt(ofX) * Math.sqrt(ofY);
  return scale === 0 ? null : Math.max(-1, Math.min(1, both / scale));
}

/**
 * Of a sample: sqrt(sum((x - m)^2) / (n - 1)).
 *
 * @param {number[]} xs
 * @returns {number | null} null for fewer than two
 */
function standardDeviation(xs) {
  if (xs.length < 2) return null;
  const middle = mean(xs);
  return Math.sqrt(xs.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (xs.length - 1));
}

/**
 * The middle one; of an even number, the mean of the two in the middle.
 *
 * @param {number[]} xs
 * @returns {number | null} null for none
 */
export function median(xs) {
  if (xs.length === 0) return null;
  const sorted = [...xs].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function mean(xs) {
  return xs.reduce((sum, x) => sum + x, 0) / xs.length;
}
