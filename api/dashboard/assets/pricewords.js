/** What a chart of a price shows, in words and as a table: for those who cannot see it, and for exact values. */

import { el } from "./dom.js";
import { changeElement, percent, price } from "./format.js";
import { unbroken } from "./gaps.js";
import { INTERVAL_WORDS } from "./ranges.js";
import { percentChange } from "./statistics.js";

const MOMENT = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "numeric",
  minute: "2-digit",
});
/** Of a candle. */
export const PRICES = ["open", "high", "low", "close"];

/**
 * @param {number} time milliseconds since 1970
 * @returns {string} local, to the minute
 */
export function minuteOf(time) {
  return MOMENT.format(time);
}

/**
 * @param {import("./candles.js").Candle[]} candles of the time that is looked at
 * @param {{step: number, interval: string, sources: string[], hasMore: boolean}} about
 * @returns {string}
 */
export function summaryOf(candles, { step, interval, sources, hasMore }) {
  if (candles.length === 0) return "No rates in this time.";
  const [first, last] = [candles[0], candles.at(-1)];
  const highest = candles.reduce((one, other) => (Number(other.high) > Number(one.high) ? other : one));
  const lowest = candles.reduce((one, other) => (Number(other.low) < Number(one.low) ? other : one));
  const gaps = unbroken(candles, step).length - 1;
  const change = percent(percentChange(Number(first.open), Number(last.close))).text;
  const many = candles.length === 1 ? "One candle" : `${candles.length} candles`;
  return [
    `From ${minuteOf(first.time)}: first ${price(first.open)}, last ${price(last.close)} USD (${change}).`,
    `Highest ${price(highest.high)} at ${minuteOf(highest.time)}, lowest ${price(lowest.low)} at ${minuteOf(lowest.time)}.`,
    `${many} of ${INTERVAL_WORDS[interval]}, ${gapWords(gaps)}.`,
    sources.length ? `Rates from ${sources.join(", ")}.` : "",
    hasMore ? "Older candles exist; they are not shown." : "",
  ]
    .filter(Boolean)
    .join(" ");
}

/**
 * The line above a chart: one candle with its exact prices.
 *
 * @param {import("./candles.js").Candle} candle
 * @returns {Node[]}
 */
export function readout(candle) {
  return [
    el("span", { class: "readout-time" }, minuteOf(candle.time)),
    ...PRICES.map((name) =>
      el(
        "span",
        {},
        el("span", { class: "muted" }, `${name[0].toUpperCase()}${name.slice(1)} `),
        el("data", { value: candle[name], title: `${candle[name]} USD` }, price(candle[name])),
      ),
    ),
    changeElement(percentChange(Number(candle.open), Number(candle.close))),
    el("span", { class: "muted" }, candle.count === 1 ? "1 rate" : `${candle.count} rates`),
  ];
}

function gapWords(gaps) {
  if (gaps === 0) return "no gap";
  return gaps === 1 ? "one gap without rates" : `${gaps} gaps without rates`;
}
