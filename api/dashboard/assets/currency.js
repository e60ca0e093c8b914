/** One currency: its price as it moves, its chart, and what is known of it. */

import { secondsSince } from "./clock.js";
import { currencyOf } from "./currencies.js";
import { el, setText } from "./dom.js";
import { currencyFacts, rateFacts } from "./facts.js";
import { age, changeElement, priceElement } from "./format.js";
import { getJson } from "./http.js";
import { live } from "./live.js";
import { plotly } from "./plot.js";
import { PriceChart } from "./pricechart.js";
import { refreshButton } from "./refresh.js";
import { renew } from "./renew.js";
import { format, update } from "./state.js";

export const title = "Currency";

const USD = 2781;
const SECOND = 1000;
/** Only new observations are told live; that a price was confirmed is asked for. */
const CONFIRMED = 30_000;

export async function show(container, { id, params, signal, setTitle }) {
  container.append(...skeleton());
  // It is large: it comes while the first answers do. Who draws says where it does not.
  plotly().catch(() => {});
  const currency = await currencyOf(id, signal);
  if (signal.aborted) return;
  if (currency === null) return container.replaceChildren(unknown(id));
  setTitle(`${currency.name} (${currency.symbol})`);
  // A local id that turned out to be another currency leads there.
  if (currency.id !== id) history.replaceState(history.state, "", format({ view: "currency", id: currency.id, params }));
  if (currency.id === USD) return container.replaceChildren(dollar(currency));

  const price = new PriceHead(currency);
  const chart = new PriceChart(currency, { params, signal, onChoice: update });
  const facts = el("div", {}, rateFacts(currency.last_rate));
  const take = (rate) => {
    if (!price.take(rate)) return;
    chart.apply(rate);
    renew(facts, rateFacts(price.rate));
  };
  container.replaceChildren(
    el(
      "section",
      { class: "card price-head", "aria-label": "Price" },
      price.element,
      refreshButton(currency.id, currency.symbol, { onRate: take, signal }),
    ),
    chart.element,
    el(
      "div",
      { class: "facts-grid" },
      el("section", { class: "card" }, el("h2", {}, "The last rate"), facts),
      el("section", { class: "card" }, el("h2", {}, "The currency"), currencyFacts(currency)),
    ),
  );
  if (currency.last_rate) price.take(currency.last_rate);
  follow(currency.id, { take, price, signal });
}

function follow(id, { take, price, signal }) {
  const stop = live.watch([id], take);
  const ticking = setInterval(() => price.grow(), SECOND);
  const confirming = setInterval(confirm, CONFIRMED);
  signal.addEventListener("abort", () => {
    stop();
    clearInterval(ticking);
    clearInterval(confirming);
  });

  async function confirm() {
    if (document.visibilityState !== "visible" || !price.rate) return;
    try {
      take(await getJson(`/api/lastrate/${id}/`, { signal }));
    } catch {
      // The age goes on to grow, and the banners of the page say why.
    }
  }
}

/** The price in large letters, and how far it can be trusted. */
class PriceHead {
  rate = null;
  #price = el("p", { class: "head-price" }, "–");
  #changes = el("p", { class: "head-changes" });
  #origin = el("p", { class: "head-origin muted" }, "No rate yet: press “Refresh now” to fetch the first.");
  #age = el("span", { dataset: { cell: "age" } });

  constructor({ rank, is_active: isActive }) {
    const chips = [
      rank !== null && el("span", { class: "chip" }, `CoinMarketCap rank ${rank}`),
      !isActive && el("span", { class: "chip warn" }, "Inactive"),
    ];
    this.element = el(
      "div",
      { class: "head-words" },
      el("div", { class: "head-line" }, this.#price, this.#changes),
      el("div", { class: "head-line" }, chips, this.#origin),
    );
  }

  /**
   * @param {object} rate
   * @returns {boolean} whether it is at least as new as the one that is shown
   */
  take(rate) {
    const { rate: shown } = this;
    if (shown && Date.parse(rate.fetched_at) < Date.parse(shown.fetched_at)) return false;
    if (shown?.price_usd !== rate.price_usd)
      renew(this.#price, priceElement(rate.price_usd), el("span", { class: "head-unit muted" }, " USD"));
    this.rate = rate;
    renew(this.#changes, change("1 h", rate.percent_change_1h), change("24 h", rate.percent_change_24h));
    this.#origin.replaceChildren(
      `from ${rate.source}, observed `,
      this.#age,
      " ago",
      rate.stale ? el("span", { class: "chip warn" }, "stale") : "",
    );
    this.grow();
    return true;
  }

  /** A second has passed. */
  grow() {
    if (this.rate) setText(this.#age, age(secondsSince(this.rate.actual_date)));
  }
}

function change(name, number) {
  return number !== null && el("span", {}, el("span", { class: "muted" }, `${name} `), changeElement(number));
}

function unknown(id) {
  return el(
    "div",
    { class: "card empty" },
    el("p", {}, `There is no currency with the id ${id}.`),
    el("p", {}, el("a", { href: "#prices" }, "Back to the prices")),
  );
}

function dollar(currency) {
  return el(
    "div",
    { class: "card" },
    el("p", {}, "Every price here is in US dollars, so the dollar is 1 by definition: it has no rates and no chart."),
    currencyFacts(currency),
    el("p", {}, el("a", { href: "#prices" }, "Back to the prices")),
  );
}

/** Of the size of what comes. */
function skeleton() {
  const block = (name) => el("div", { class: `card ${name}` }, el("span", { class: "skeleton block-skeleton" }));
  return [
    block("head-skeleton"),
    block("chart-skeleton"),
    el("p", { class: "visually-hidden", role: "status" }, "Loading the currency"),
  ];
}
