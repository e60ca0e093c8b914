/** Numbers and times for people. Decimals come as the API's text and are never made floats to be shown. */

import { el } from "./dom.js";

const NOTHING = "–";
const NO_BREAK = "\u00a0";
/** From here on a price is shortened. */
const LARGE = 1e9;
/** From here on there are no words for thousands of thousands. */
const HUGE = 1e15;

/** `Intl.NumberFormat` takes decimal text as it is, without a float in between. */
const MANY = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SIX_DIGITS = new Intl.NumberFormat(undefined, { minimumSignificantDigits: 6, maximumSignificantDigits: 6 });
const SIX_DECIMALS = new Intl.NumberFormat(undefined, { minimumFractionDigits: 6, maximumFractionDigits: 6 });
const SMALL = new Intl.NumberFormat(undefined, { minimumSignificantDigits: 4, maximumSignificantDigits: 4 });
const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0, signDisplay: "exceptZero" });
const COMPACT_CHANGE = new Intl.NumberFormat(undefined, { notation: "compact", minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });
/** Also of what is too large for words such as million. */
const POWER = new Intl.NumberFormat(undefined, { notation: "scientific", minimumFractionDigits: 3, maximumFractionDigits: 3 });
const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact", minimumFractionDigits: 2, maximumFractionDigits: 2 });
const CHANGE = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/**
 * A price or an amount, to about six digits: `92,637.51`, `0.412345`, `0.00000006316`, and never so long that it fills a line:
 * `1.85T`, `6.316E-12`.
 *
 * @param {string | null | undefined} text decimal, as the API gives it
 * @returns {string}
 */
export function price(text) {
  if (!isDecimal(text)) return NOTHING;
  const size = Math.abs(Number(text));
  if (size >= LARGE) return compact(text);
  if (size === 0 || size >= 1000) return MANY.format(text);
  if (size >= 1) return SIX_DIGITS.format(text);
  if (size >= 0.001) return SIX_DECIMALS.format(text);
  return size >= 1e-8 ? SMALL.format(text) : POWER.format(text);
}

/**
 * A large amount, shortened: `1.85T`, `1.234E18`.
 *
 * @param {string | null | undefined} text decimal
 * @returns {string}
 */
export function compact(text) {
  if (!isDecimal(text)) return NOTHING;
  return Math.abs(Number(text)) >= HUGE ? POWER.format(text) : COMPACT.format(text);
}

/**
 * A change in percent: `+1.84 %`, `+1,234 %`, `+1.23M %`.
 *
 * @param {number | null | undefined} number
 * @returns {{text: string, trend: "up" | "down" | "flat"}}
 */
export function percent(number) {
  if (typeof number !== "number" || !Number.isFinite(number)) return { text: NOTHING, trend: "flat" };
  const shown = Number(number.toFixed(2));
  const trend = shown === 0 ? "flat" : shown > 0 ? "up" : "down";
  return { text: `${changeFormat(Math.abs(shown)).format(shown === 0 ? 0 : shown)}${NO_BREAK}%`, trend };
}

function changeFormat(size) {
  if (size < 1000) return CHANGE;
  return size < 100_000 ? WHOLE : COMPACT_CHANGE;
}

/**
 * How long ago: `12 s`, `5 min`, `3 h`, `2 d`.
 *
 * @param {number | null | undefined} seconds below 0 counts as 0: the clock of a source may be ahead
 * @returns {string}
 */
export function age(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return NOTHING;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}${NO_BREAK}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}${NO_BREAK}min`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)}${NO_BREAK}h`;
  return `${Math.floor(whole / 86_400)}${NO_BREAK}d`;
}

/**
 * Local date and time.
 *
 * @param {string | null | undefined} iso
 * @returns {string}
 */
export function moment(iso) {
  const time = Date.parse(iso ?? "");
  return Number.isNaN(time) ? NOTHING : MOMENT.format(time);
}

/**
 * A price to read, with the exact one at hand.
 *
 * @param {string | null | undefined} text decimal
 * @param {string} unit symbol of a currency
 * @returns {HTMLElement}
 */
export function priceElement(text, unit = "USD") {
  if (!isDecimal(text)) return el("span", { class: "price muted" }, NOTHING);
  return el("data", { class: "price", value: text, title: `${text} ${unit}` }, price(text));
}

/**
 * A change in percent, with sign, arrow and colour; the exact number as its title.
 *
 * @param {number | null | undefined} number
 * @returns {HTMLElement}
 */
export function changeElement(number) {
  const { text, trend } = percent(number);
  return el("span", { class: `change ${trend}`, title: typeof number === "number" ? `${number} %` : null }, text);
}

/**
 * A time to read, with the exact one (ISO 8601, UTC) at hand.
 *
 * @param {string | null | undefined} iso
 * @returns {HTMLElement}
 */
export function momentElement(iso) {
  if (Number.isNaN(Date.parse(iso ?? ""))) return el("span", { class: "muted" }, NOTHING);
  return el("time", { datetime: iso, title: iso }, moment(iso));
}

function isDecimal(text) {
  return typeof text === "string" && text !== "" && Number.isFinite(Number(text));
}
