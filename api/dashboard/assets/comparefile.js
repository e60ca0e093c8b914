/** The lines of a comparison as a file. */

import { downloadCsv } from "./csv.js";

const DECIMALS = 6;

/**
 * Has the browser save them: one row for each time, with the exact price and the change of each currency.
 *
 * @param {import("./comparison.js").Line[]} lines
 * @param {string} range its name, for the name of the file
 */
export function saveComparison(lines, range) {
  const times = [...new Set(lines.flatMap(({ points }) => points.map(({ time }) => time)))].sort((a, b) => a - b);
  const byTime = lines.map(({ points }) => new Map(points.map((point) => [point.time, point])));
  // The id too, for two currencies may share a symbol.
  const names = lines.map(({ currency: { symbol, id } }) => `${symbol} (${id})`);
  const header = ["Time", ...names.flatMap((name) => [`${name} USD`, `${name} change %`])];
  const rows = times.map((time) => [
    new Date(time).toISOString(),
    ...byTime.flatMap((points) => [points.get(time)?.text, rounded(points.get(time)?.change)]),
  ]);
  downloadCsv(`comparison-${range}.csv`, header, rows);
}

/** What lies behind is the float's, not the price's. */
function rounded(change) {
  return change === undefined ? undefined : Number(change.toFixed(DECIMALS));
}
