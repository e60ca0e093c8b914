/** Amounts: decimals as text. They have more digits than a float holds, so none ever becomes one. */

import { el } from "./dom.js";
import { priceElement } from "./format.js";

const PLAIN = /^[0-9]{1,30}(\.[0-9]{1,30})?$/;
const LONGEST = 41;
const MOST_DECIMALS = 8;
const SIGNIFICANT = 4;
const FEWEST = 2;
/** As many as every browser shows. */
const DEEPEST = 20;
const EVERY_DIGIT = new Intl.NumberFormat(undefined, { maximumFractionDigits: MOST_DECIMALS });

export const AMOUNT_ADVICE =
  "Write a plain number such as 1.5: digits with a point, no sign, no comma, at most 30 digits on each side and 40 altogether.";

/**
 * @param {string} text
 * @returns {boolean} whether the API takes it as an amount
 */
export function isAmount(text) {
  return text.length <= LONGEST && PLAIN.test(text);
}

/**
 * So many decimals as a column of amounts needs: all that there are, up to eight; else four digits of the least.
 *
 * @param {string[]} amounts decimals
 * @returns {number}
 */
export function commonDecimals(amounts) {
  const most = Math.max(0, ...amounts.map((text) => decimalsOf(text).length));
  if (most <= MOST_DECIMALS) return most;
  const least = Math.min(...amounts.map((text) => Math.abs(Number(text))).filter((size) => size > 0));
  const needed = Number.isFinite(least) ? SIGNIFICANT - 1 - Math.floor(Math.log10(least)) : 0;
  return Math.min(Math.max(needed, FEWEST), DEEPEST);
}

/**
 * An amount to read, with every digit where it has up to eight decimals, else as a price; the exact one as its title.
 *
 * @param {string} text decimal
 * @param {string} unit symbol of a currency; none where it is not known
 * @param {number | null} decimals to show, so that the amounts of a column stand below one another
 * @returns {HTMLElement}
 */
export function amountElement(text, unit = "", decimals = null) {
  if (decimals === null && decimalsOf(text).length > MOST_DECIMALS) return priceElement(text, unit);
  const digits = decimals === null ? EVERY_DIGIT : digitsOf(decimals);
  return el("data", { class: "price", value: text, title: `${text} ${unit}`.trim() }, digits.format(text));
}

function decimalsOf(text) {
  return text.split(".")[1] ?? "";
}

function digitsOf(decimals) {
  return new Intl.NumberFormat(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/**
 * Reads JSON, and keeps the numbers of one member as the text that they are written in.
 *
 * @param {string} json
 * @param {string} member
 * @returns {any}
 */
export function parseAmounts(json, member) {
  // Within a string a quote is escaped, so this never stands inside of one.
  const number = new RegExp(`("${member}":\\s*)(-?[0-9][0-9.eE+-]*)`, "g");
  return JSON.parse(json.replace(number, '$1"$2"'));
}
