/**
 * The rows of the table of prices: what the market says, what has moved since, and in which order it is shown.
 *
 * @typedef {{rank: number, currency: number, symbol: string, name: string, rate: import("./live.js").Rate | null}} Row
 */

const TEXT = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

/** By which columns rows are ordered, and whether the first click on one begins with the greatest. */
export const ORDERS = {
  rank: { of: (row) => row.rank, isGreatestFirst: false },
  name: { of: (row) => row.name, isGreatestFirst: false },
  price: { of: (row) => number(row.rate?.price_usd), isGreatestFirst: true },
  change_1h: { of: (row) => row.rate?.percent_change_1h ?? null, isGreatestFirst: true },
  change_24h: { of: (row) => row.rate?.percent_change_24h ?? null, isGreatestFirst: true },
  volume_24h: { of: (row) => number(row.rate?.volume_24h), isGreatestFirst: true },
  market_cap: { of: (row) => number(row.rate?.market_cap), isGreatestFirst: true },
  age: { of: (row) => (row.rate ? -Date.parse(row.rate.actual_date) : null), isGreatestFirst: false },
};

/** All rows that the page holds, by currency. */
export class Market {
  /** @type {Map<number, Row>} */
  #rows = new Map();
  /** @type {{ranked_at: string | null, ranked_by: string | null} | null} */
  facts = null;

  /** @returns {number} how many rows there are */
  get size() {
    return this.#rows.size;
  }

  /** @returns {number[]} */
  get ids() {
    return [...this.#rows.keys()];
  }

  /**
   * @param {number} id
   * @returns {Row | undefined}
   */
  row(id) {
    return this.#rows.get(id);
  }

  /**
   * Takes an answer of the market. A rate that has moved on while the answer was under way stays.
   *
   * @param {{ranked_at: string | null, ranked_by: string | null, results: Row[]}} answer
   */
  take(answer) {
    this.facts = { ranked_at: answer.ranked_at, ranked_by: answer.ranked_by };
    const rows = answer.results.map((row) => {
      const held = this.#rows.get(row.currency)?.rate ?? null;
      const isHeldNewer = held && (!row.rate || held.fetched_at > row.rate.fetched_at);
      return [row.currency, isHeldNewer ? { ...row, rate: held } : row];
    });
    this.#rows = new Map(rows);
  }

  /**
   * Takes a rate that was told. What the page remembers of a time without connection may be older than what it has.
   *
   * @param {import("./live.js").Rate} rate
   * @returns {boolean} whether a row shows it
   */
  note(rate) {
    const row = this.#rows.get(rate.currency);
    if (!row || row.rate?.id === rate.id || rate.fetched_at < (row.rate?.fetched_at ?? "")) return false;
    row.rate = rate;
    return true;
  }

  /**
   * @param {{text: string, sort: string, down: boolean}} wanted `text`: part of a name or symbol, in any case
   * @returns {Row[]} in order; rows without a value come last either way
   */
  select({ text, sort, down }) {
    const part = text.trim().toLocaleLowerCase();
    const { of } = ORDERS[sort];
    const found = [...this.#rows.values()].filter((row) => !part || isNamed(row, part));
    return found.sort((one, other) => compare(of(one), of(other), down) || one.rank - other.rank);
  }
}

function isNamed(row, part) {
  return row.name.toLocaleLowerCase().includes(part) || row.symbol.toLocaleLowerCase().includes(part);
}

function compare(one, other, down) {
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "string" ? TEXT.compare(one, other) : one - other;
  return down ? -order : order;
}

/** A float will do to put rows in order. */
function number(text) {
  return text === null || text === undefined ? null : Number(text);
}
