/** How far back a chart looks, and the length of candles that suits it. */

import { now } from "./clock.js";
import { timeOf } from "./state.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The lengths that the API has, in milliseconds, the shortest first. */
export const INTERVALS = { "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR, "4h": 4 * HOUR, "1d": DAY };
export const LONGEST = "1d";

/** In words, as adjectives. */
export const INTERVAL_WORDS = {
  "1m": "1 minute",
  "5m": "5 minutes",
  "15m": "15 minutes",
  "1h": "1 hour",
  "4h": "4 hours",
  "1d": "1 day",
};

/** @type {Object<string, {span: number | null, short: string, words: string}>} `span` null: from the first rate */
export const RANGES = {
  "1h": { span: HOUR, short: "1 h", words: "1 hour" },
  "24h": { span: DAY, short: "24 h", words: "24 hours" },
  "7d": { span: 7 * DAY, short: "7 d", words: "7 days" },
  "30d": { span: 30 * DAY, short: "30 d", words: "30 days" },
  "1y": { span: 365 * DAY, short: "1 y", words: "1 year" },
  all: { span: null, short: "All", words: "All time" },
};

/**
 * @param {string | undefined} name from the address, so anything
 * @returns {string} the name of a range
 */
export function knownRange(name) {
  return Object.hasOwn(RANGES, name ?? "") ? name : "24h";
}

/**
 * The range that an address names, or the shortest longer one that a zoom lies in.
 *
 * @param {{range?: string, from?: string, to?: string}} params
 * @returns {string} the name of a range
 */
export function rangeFrom({ range, from, to }) {
  const names = Object.keys(RANGES);
  const first = Math.min(timeOf(from) ?? Infinity, timeOf(to) ?? Infinity);
  const isIn = (name) => RANGES[name].span === null || first >= now() - RANGES[name].span;
  return names.slice(names.indexOf(knownRange(range))).find(isIn);
}

/**
 * The shortest interval of which at most so many candles fill the span.
 *
 * @param {number} span milliseconds
 * @param {number} most
 * @returns {string}
 */
export function intervalFor(span, most) {
  return Object.keys(INTERVALS).find((name) => span / INTERVALS[name] <= most) ?? LONGEST;
}
