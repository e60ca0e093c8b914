/** The figures of a comparison: return, volatility, greatest drawdown, and how the prices move together. */

import { el } from "./dom.js";
import { changeElement, priceElement } from "./format.js";
import { greatestDrawdown, returnCorrelation, totalReturn, volatility } from "./statistics.js";

const PLAIN = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const COEFFICIENT = new Intl.NumberFormat(undefined, {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  signDisplay: "negative",
});
const NOTHING = "–";
const NO_BREAK = "\u00a0";
/** The strongest wash behind a number, in percent of its colour: the text on it stays readable. */
const WASH = 22;

/**
 * @param {import("./comparison.js").Line} line
 * @returns {{first: string, last: string, total: number | null, volatility: number | null, drawdown: number | null}}
 *   prices exact, the others in percent
 */
function figuresOf({ points }) {
  return {
    first: points[0].text,
    last: points.at(-1).text,
    total: totalReturn(points),
    volatility: volatility(points),
    drawdown: greatestDrawdown(points),
  };
}

/**
 * @param {import("./comparison.js").Line[]} lines
 * @returns {HTMLElement}
 */
export function figuresTable(lines) {
  const heads = ["Currency", "At the start", "Last", "Return", "Volatility, a year", "Greatest drawdown"];
  return table({
    caption: "Figures of the range",
    heads,
    rows: lines.map((line) => {
      const { first, last, total, volatility: wild, drawdown } = figuresOf(line);
      return [
        line.currency.name,
        priceElement(first),
        priceElement(last),
        changeElement(total),
        share(wild),
        drawdown === 0 ? share(0) : changeElement(drawdown),
      ];
    }),
  });
}

/**
 * @param {import("./comparison.js").Line[]} lines
 * @returns {HTMLElement}
 */
export function correlationTable(lines) {
  return table({
    caption: "Correlation of returns",
    heads: ["", ...lines.map(({ currency }) => el("abbr", { title: currency.name }, currency.symbol))],
    rows: lines.map((line, at) => [
      line.currency.name,
      ...lines.map((other, column) => coefficient(at === column ? 1 : returnCorrelation(line.points, other.points))),
    ]),
  });
}

/** What the figures mean, in words. */
export function definitions() {
  const entries = [
    [
      "Common start",
      "the first candle of the range in which every currency here has a rate; there each line stands at 0 %. Prices are the last of their candles, in USD.",
    ],
    ["Return", "the last price over the price at the start, minus one."],
    [
      "Volatility, a year",
      "the sample standard deviation of the log returns from candle to candle, brought to a year of 365 days by the root of time. A short range says little about a year.",
    ],
    ["Greatest drawdown", "the greatest fall from a peak to a later price."],
    ["Correlation", "Pearson’s, of the same log returns, over the candles that both have: 1 together, 0 unrelated, −1 opposite."],
  ];
  return el(
    "details",
    { class: "definitions" },
    el("summary", {}, "How these figures are made"),
    el(
      "dl",
      { class: "facts" },
      entries.map(([name, words]) => el("div", {}, el("dt", {}, name), el("dd", {}, words))),
    ),
  );
}

function coefficient(value) {
  if (value === null) return NOTHING;
  const colour = value < 0 ? "--down" : "--accent";
  const style = `background: color-mix(in srgb, var(${colour}) ${Math.round(Math.abs(value) * WASH)}%, transparent)`;
  return el("data", { class: "coefficient", value, title: value, style }, COEFFICIENT.format(value));
}

function share(number) {
  return number === null ? NOTHING : el("data", { value: number, title: `${number} %` }, `${PLAIN.format(number)}${NO_BREAK}%`);
}

function table({ caption, heads, rows }) {
  const head = heads.map((name, at) =>
    name === "" ? el("td", {}) : el("th", { scope: "col", class: at ? "number" : null }, name),
  );
  const body = rows.map(([name, ...cells]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      cells.map((cell) => el("td", { class: "number" }, cell)),
    ),
  );
  return el(
    "table",
    { class: "plain-table" },
    el("caption", { class: "visually-hidden" }, caption),
    el("thead", {}, el("tr", {}, head)),
    el("tbody", {}, body),
  );
}
