/**
 * The candles of one currency: fetched, and kept up by live rates.
 *
 * Kept are those that have rates. Prices stay the API's text; whoever draws makes numbers of it.
 *
 * @typedef {{time: number, open: string, high: string, low: string, close: string, count: number}} Candle `time`:
 *   milliseconds since 1970, of its beginning
 */

import { now } from "./clock.js";
import { getJson } from "./http.js";
import { INTERVALS, intervalFor, LONGEST } from "./ranges.js";

const PAGE = 1000;
/** Of days that is more than thirteen years. */
const MOST_PAGES = 5;

/**
 * Asks for candles, page after page.
 *
 * @param {number} id of the currency
 * @param {{interval: string, from?: number | null, to?: number | null, signal?: AbortSignal}} what times in milliseconds;
 *   null: from the first rate, up to now
 * @returns {Promise<{candles: Candle[], since: number | null, sources: string[], hasMore: boolean}>} the
 *   oldest first; `since`: the beginning of the oldest candle that was listed, with or without rates; `hasMore`: older
 *   ones were left out
 * @throws {Problem}
 */
async function fetchCandles(id, { interval, from = null, to = null, signal }) {
  let path = candlesPath(id, { interval, from, to });
  const rows = [];
  const sources = new Set();
  for (let page = 0; path && page < MOST_PAGES; page += 1) {
    const answer = await getJson(path, { signal });
    rows.push(...answer.results);
    for (const source of answer.sources ?? []) sources.add(source);
    path = answer.next;
  }
  const candles = rows.reverse().map((row) => ({ ...row, time: Date.parse(row.time) }));
  return {
    candles: candles.filter(({ count }) => count > 0),
    since: candles[0]?.time ?? null,
    sources: [...sources].sort(),
    hasMore: Boolean(path),
  };
}

/**
 * @param {number} id
 * @param {{interval: string, from?: number | null, to?: number | null, format?: string}} what
 * @returns {string} the path of the first page
 */
export function candlesPath(id, { interval, from = null, to = null, format = null }) {
  const query = new URLSearchParams({ interval, limit: PAGE });
  // From the beginning of the candle in which that time lies: the API lists those that begin then or later.
  if (from !== null) query.set("from", new Date(from - (from % INTERVALS[interval])).toISOString());
  if (to !== null) query.set("to", new Date(to).toISOString());
  if (format !== null) query.set("format", format);
  return `/api/candles/${id}/?${query}`;
}

/** The candles of one currency over one stretch of time. */
export class Candles {
  #seenUntil = 0;
  #latest = null;
  /** @type {Candle[]} the oldest first */
  list = [];
  interval = LONGEST;
  /** Milliseconds: what was asked for; null: from the first rate, up to now and on. */
  from = null;
  to = null;
  since = null;
  sources = [];
  hasMore = false;

  /** @param {number} id of the currency */
  constructor(id) {
    this.id = id;
  }

  get step() {
    return INTERVALS[this.interval];
  }

  /**
   * Fetches a stretch anew, by the shortest interval of which `most` candles fill what there is: where the history is
   * younger than the stretch, shorter ones do.
   *
   * @param {{from: number | null, to: number | null, most: number, signal?: AbortSignal}} what
   */
  async load({ from, to, most, signal }) {
    const end = to ?? now();
    let interval = from === null ? LONGEST : intervalFor(end - from, most);
    let found = await this.#fetch({ interval, from, to, signal });
    for (;;) {
      const finer = found.since === null ? interval : intervalFor(end - found.since, most);
      if (INTERVALS[finer] >= INTERVALS[interval]) break;
      interval = finer;
      found = await this.#fetch({ interval, from: found.since, to, signal });
    }
    this.#take(found, { interval, from, to });
  }

  /** Fetches a stretch by that interval. */
  async loadBy(interval, { from, to, signal }) {
    this.#take(await this.#fetch({ interval, from, to, signal }), { interval, from, to });
  }

  /** Asks again for the newest candles: a live rate tells of one source, a candle holds the rates of all. */
  async renew({ signal } = {}) {
    if (this.to !== null) return;
    const { interval } = this;
    const last = this.list.at(-2) ?? this.list.at(-1);
    const found = await this.#fetch({ interval, from: last?.time ?? this.from, to: null, signal });
    if (interval !== this.interval || this.to !== null) return;
    const older = found.candles.length ? this.list.filter(({ time }) => time < found.candles[0].time) : this.list;
    this.list = [...older, ...found.candles];
    this.since ??= found.since;
    this.#catchUp(found.askedAt);
  }

  /**
   * Takes a live rate into its candle.
   *
   * @param {object} rate as the API has it
   * @returns {"nothing" | "changed" | "begun"} begun: it is the first of a new candle
   */
  apply(rate) {
    if (rate.id <= this.#latest?.id) return "nothing";
    this.#latest = rate;
    if (this.to !== null || Date.parse(rate.date_added) < this.#seenUntil) return "nothing";
    const observedAt = Date.parse(rate.actual_date);
    const time = observedAt - (observedAt % this.step);
    const last = this.list.at(-1);
    if (time < (last?.time ?? this.since ?? 0)) return "nothing";
    const price = rate.price_usd;
    if (time > (last?.time ?? 0)) {
      this.list.push({ time, open: price, high: price, low: price, close: price, count: 1 });
      this.since ??= time;
      return "begun";
    }
    this.list[this.list.length - 1] = {
      ...last,
      high: Number(price) > Number(last.high) ? price : last.high,
      low: Number(price) < Number(last.low) ? price : last.low,
      close: price,
      count: last.count + 1,
    };
    return "changed";
  }

  /** Lets go of what lies before a time, so that a page that stays open does not grow. */
  forget(before) {
    const kept = this.list.findIndex(({ time }) => time + this.step > before);
    if (kept > 0) this.list.splice(0, kept);
    if (this.since !== null) this.since = Math.max(this.since, before - (before % this.step));
  }

  async #fetch(what) {
    const askedAt = now();
    return { ...(await fetchCandles(this.id, what)), askedAt };
  }

  #take({ candles, since, sources, hasMore, askedAt }, { interval, from, to }) {
    Object.assign(this, { list: candles, since, sources, hasMore, interval, from, to });
    this.#catchUp(askedAt);
  }

  /** Rates that were stored before the question are in its answer; one that came while it was on its way may be not. */
  #catchUp(askedAt) {
    this.#seenUntil = askedAt;
    const latest = this.#latest;
    this.#latest = null;
    if (latest) this.apply(latest);
  }
}
