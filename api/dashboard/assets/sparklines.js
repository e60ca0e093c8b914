/** The days of the rows that are seen, kept for as long as the API keeps them. */

import { now } from "./clock.js";
import { getJson } from "./http.js";

const PATH = "/api/sparklines/";
const LIFE = 60_000;
const MOST_PER_QUESTION = 100;

/** What was drawn of each currency, and when it was asked for. */
export class Sparklines {
  /** @type {Map<number, {askedAt: number, closes: Array<number | null> | undefined}>} */
  #kept = new Map();

  /**
   * @param {number} id
   * @returns {Array<number | null> | undefined}
   */
  closes(id) {
    return this.#kept.get(id)?.closes;
  }

  /**
   * Asks for those that are missing or old.
   *
   * @param {number[]} ids
   * @param {AbortSignal} signal
   * @returns {Promise<number[]>} the ids of which there is news
   * @throws what `getJson` throws; what was known stays, and may be asked for again
   */
  async renew(ids, signal) {
    const time = now();
    const due = ids.filter((id) => !(time - this.#kept.get(id)?.askedAt < LIFE)).slice(0, MOST_PER_QUESTION);
    if (due.length === 0) return [];
    const before = due.map((id) => [id, this.#kept.get(id)]);
    // Those under way are not asked for twice.
    for (const id of due) this.#kept.set(id, { askedAt: time, closes: this.closes(id) });
    try {
      const { results } = await getJson(`${PATH}?currency=${due.join(",")}`, { signal });
      for (const { currency, closes } of results) this.#kept.set(currency, { askedAt: time, closes });
      return results.map(({ currency }) => currency);
    } catch (error) {
      for (const [id, entry] of before) this.#putBack(id, entry);
      throw error;
    }
  }

  #putBack(id, entry) {
    if (entry) this.#kept.set(id, entry);
    else this.#kept.delete(id);
  }
}
