/** Several prices from a common start, as change in percent. */

import { Candles } from "./candles.js";
import { now } from "./clock.js";
import { live } from "./live.js";
import { INTERVALS, intervalFor, LONGEST, RANGES } from "./ranges.js";
import { commonStart, percentChange } from "./statistics.js";

const MOST_CANDLES = 400;
/** As many as there are colours. */
export const MOST = 8;

/**
 * @typedef {{time: number, price: number, change: number, text: string}} Point `text`: the exact price
 * @typedef {{currency: object, slot: number, points: Point[]}} Line from the common start on;
 *   `slot` 0..7: its colour and its dashes
 */

export class Comparison {
  /** @type {Map<number, {currency: object, slot: number, candles: Candles}>} by id */
  #members = new Map();
  #range = "24h";

  get size() {
    return this.#members.size;
  }

  get ids() {
    return [...this.#members.keys()];
  }

  /** @returns {{currency: object, slot: number}[]} in the order in which they came */
  get members() {
    return [...this.#members.values()];
  }

  get interval() {
    return this.members[0]?.candles.interval ?? LONGEST;
  }

  get step() {
    return INTERVALS[this.interval];
  }

  get hasMore() {
    return this.members.some(({ candles }) => candles.hasMore);
  }

  /** Those that have rates in the time that is looked at. */
  get #present() {
    return this.members.filter(({ candles }) => candles.list.length > 0);
  }

  /** The others. */
  get absent() {
    return this.members.filter(({ candles }) => candles.list.length === 0).map(({ currency }) => currency);
  }

  /** @returns {number | null} the first time at which all that have rates have one */
  get start() {
    return commonStart(this.#present.map(({ candles }) => candles.list));
  }

  /** @returns {Line[]} none where there is no common start */
  get lines() {
    const { start } = this;
    if (start === null) return [];
    return this.#present.map(({ currency, slot, candles }) => {
      const seen = candles.list.filter(({ time }) => time >= start);
      const base = Number(seen[0].close);
      const points = seen.map(({ time, close }) => ({
        time,
        price: Number(close),
        change: percentChange(base, Number(close)),
        text: close,
      }));
      return { currency, slot, points };
    });
  }

  has(id) {
    return this.#members.has(id);
  }

  get isFull() {
    return this.size >= MOST;
  }

  /**
   * @param {object} currency the API's; it takes the first colour that is free
   * @returns {boolean} false where it is here already, or there is no room
   */
  add(currency) {
    if (this.has(currency.id) || this.isFull) return false;
    const taken = this.members.map(({ slot }) => slot);
    const slot = [...Array(taken.length + 1).keys()].find((one) => !taken.includes(one));
    this.#members.set(currency.id, { currency, slot, candles: new Candles(currency.id) });
    return true;
  }

  remove(id) {
    this.#members.delete(id);
  }

  /**
   * Fetches a range of all: by one interval, the shortest that suits the time since the common start; by a longer one
   * where else they would never have a price in the same candle, for their sources may be polled at other times.
   *
   * @param {{range: string, signal: AbortSignal}} what
   * @throws {Problem}
   */
  async load({ range, signal }) {
    this.#range = range;
    const { span } = RANGES[range];
    const names = Object.keys(INTERVALS);
    const whole = { from: span === null ? null : now() - span, to: null, signal };
    const first = span === null ? LONGEST : intervalFor(span, MOST_CANDLES);
    await this.#loadAll(first, whole);
    for (const longer of names.slice(names.indexOf(first) + 1)) {
      if (this.start !== null || this.#present.length === 0) break;
      await this.#loadAll(longer, whole);
    }
    await this.#refine(signal);
  }

  /** Takes a live rate. @returns {boolean} whether it changes anything */
  apply(rate) {
    const candles = this.#members.get(rate.currency)?.candles;
    return candles !== undefined && candles.apply(rate) !== "nothing";
  }

  /** Asks for the newest candles of all again. */
  async renew({ signal }) {
    await Promise.all(this.members.map(({ candles }) => candles.renew({ signal })));
  }

  /** Lets go of what has left the range. */
  forget() {
    const { span } = RANGES[this.#range];
    if (span !== null) for (const { candles } of this.members) candles.forget(now() - span);
  }

  async #refine(signal) {
    for (;;) {
      const { start, interval } = this;
      const finer = start === null ? interval : intervalFor(now() - start, MOST_CANDLES);
      if (INTERVALS[finer] >= INTERVALS[interval]) return;
      await this.#loadAll(finer, { from: start, to: null, signal });
      if (this.start !== null) continue;
      await this.#loadAll(interval, { from: start, to: null, signal });
      return;
    }
  }

  async #loadAll(interval, what) {
    await Promise.all(this.members.map(({ candles }) => candles.loadBy(interval, what)));
    for (const id of this.ids) {
      const known = live.last(id);
      if (known) this.apply(known);
    }
  }
}
