/** A quote as people read it: the amount, the price, and the rates that it is made of. */

import { amountElement } from "./amount.js";
import { el, setText } from "./dom.js";
import { age, momentElement } from "./format.js";

const STALE = "A rate in it is older than it should be, or could not be renewed when it was due.";
const MOMENT = 1000;

/**
 * What an amount of a currency is worth in another.
 *
 * @param {string} amount decimal
 * @param {object} currency a result of the quotes API, with one quote
 * @returns {{element: HTMLElement, words: string, tick: () => void}} `words` for who listens; `tick` renews the ages
 */
export function quoteCard(amount, currency) {
  const quote = currency.quotes[0];
  const answered = performance.now();
  const ages = quote.path.map((leg) => ({ place: el("span"), seconds: leg.age }));
  const price = quote.price === null ? null : amountElement(quote.price, quote.symbol);
  const sum = [amountElement(amount, currency.symbol), ` ${currency.symbol} = `];
  tick();
  return {
    element: card(),
    words: `${amount} ${currency.symbol} is ${price ? price.textContent : "without a price in"} ${quote.symbol}`,
    tick,
  };

  function card() {
    return el(
      "div",
      { class: "quote", dataset: { result: "quote", price: quote.price ?? "", stale: String(quote.stale) } },
      el(
        "p",
        { class: "quote-sum" },
        sum,
        price ? el("strong", {}, price, ` ${quote.symbol}`) : "no price",
        quote.stale && el("span", { class: "chip warn", title: STALE }, "stale"),
      ),
      price === null && el("p", { class: "muted" }, "A rate that it needs cannot be had now. This page asks again by itself."),
      quote.stale && price && el("p", { class: "muted" }, STALE),
      price && exact(quote),
      el("h2", {}, "How it is made"),
      quote.path.length
        ? el("ol", { class: "quote-path" }, quote.path.map(step))
        : el("p", { class: "muted" }, "No rate is needed for this."),
    );
  }

  function step(leg, at) {
    const [left, right] = leg.pair.split("/");
    return el(
      "li",
      {},
      el("strong", {}, leg.pair),
      el(
        "span",
        { class: "muted" },
        at > 0 || left === "USD" ? ` divided by the price of ${right} in USD` : ` the price of ${left} in USD`,
      ),
      el(
        "span",
        { class: "quote-source" },
        `from ${leg.source}, fetched `,
        ages[at].place,
        " ago, dated ",
        momentElement(leg.actual_date),
      ),
    );
  }

  function tick() {
    const passed = (performance.now() - answered) / MOMENT;
    for (const { place, seconds } of ages) setText(place, age(seconds + passed));
  }
}

/** Every digit, and a way to take them along. */
function exact({ price, symbol }) {
  const told = el("span", { class: "muted", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(price);
      told.textContent = "Copied.";
    } catch {
      told.textContent = "The browser does not allow it. Select the digits instead.";
    }
  };
  return el(
    "p",
    { class: "quote-exact" },
    el("span", { class: "muted" }, "All digits: "),
    el("code", { dataset: { exact: symbol } }, price),
    " ",
    navigator.clipboard && el("button", { type: "button", class: "button small", onclick: copy }, "Copy"),
    " ",
    told,
  );
}
