/** The customers who spent most, with their gems. */

import { amountElement, commonDecimals, parseAmounts } from "./amount.js";
import { el, setText } from "./dom.js";
import { failure, wrongField } from "./failure.js";
import { getText } from "./http.js";
import { update } from "./state.js";
import { status } from "./status.js";

const MOST = 100;
const DEFAULT = "5";
const COMMON = ["USD", "EUR", "GBP", "JPY", "CHF", "BTC", "ETH"];

/** The card with the answer, for as many customers and in the currency that are chosen. */
export class SpendersCard {
  /** @param {{params: {top?: string, convert?: string}, signal: AbortSignal, onAnswer: (answer: {isEmpty: boolean}) => void}} options */
  constructor({ params, signal, onAnswer }) {
    this.signal = signal;
    this.onAnswer = onAnswer;
    this.asking = null;
    this.top = el("input", {
      id: "deals-top",
      type: "number",
      min: 1,
      max: MOST,
      step: 1,
      required: true,
      value: params.top ?? DEFAULT,
      "aria-describedby": "spenders-advice",
      onchange: () => this.changed(),
    });
    this.convert = el("input", {
      id: "deals-convert",
      type: "text",
      list: "deals-currencies",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: 64,
      value: params.convert ?? "",
      "aria-describedby": "spenders-advice",
      onchange: () => this.changed(),
    });
    this.advice = el("p", { id: "spenders-advice", class: "field-error", role: "alert" });
    this.place = el(
      "div",
      { dataset: { result: "deals" }, "aria-busy": "true" },
      el("div", { class: "skeleton deals-skeleton" }),
    );
    this.told = el("p", { class: "visually-hidden", role: "status" });
    this.element = el(
      "section",
      { class: "card spenders", "aria-labelledby": "spenders-title" },
      el("h2", { id: "spenders-title" }, "Who spent most"),
      el(
        "form",
        { class: "spenders-form", novalidate: true, onsubmit: (event) => this.submitted(event) },
        el("div", { class: "field" }, el("label", { for: "deals-top" }, "Customers"), this.top),
        el("div", { class: "field" }, el("label", { for: "deals-convert" }, "In currency"), this.convert),
        el(
          "datalist",
          { id: "deals-currencies" },
          COMMON.map((symbol) => el("option", { value: symbol })),
        ),
        this.advice,
      ),
      this.place,
      this.told,
    );
    const stop = status.onChange(() => this.nameUnit());
    this.nameUnit();
    signal.addEventListener("abort", () => {
      stop();
      this.asking?.abort();
    });
  }

  /** The currency of the file is a setting of the service, which may be known only later. */
  nameUnit() {
    const unit = status.value?.deals_currency;
    this.convert.placeholder = unit ? `${unit} (the file)` : "as in the file";
    const head = this.place.querySelector("[data-unit=file]");
    if (head && unit) setText(head, `Spent, ${unit}`);
  }

  submitted(event) {
    event.preventDefault();
    this.changed();
  }

  changed() {
    const top = this.top.value;
    update({ top: top === DEFAULT ? null : top, convert: this.convert.value.trim() || null });
    return this.renew();
  }

  async renew() {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.advise("");
    if (!this.top.validity.valid) return this.refuse(this.top, `Customers: write a whole number from 1 to ${MOST}.`);
    const query = new URLSearchParams({ top: this.top.valueAsNumber });
    const convert = this.convert.value.trim();
    if (convert) query.set("convert", convert);
    this.place.setAttribute("aria-busy", "true");
    try {
      const { response } = parseAmounts(await getText(`/api/deals/?${query}`, { signal }), "spent_money");
      this.show(response.length ? table(response) : nothingYet());
      this.nameUnit();
      this.told.textContent = response.length ? `${response.length} customers` : "";
      this.onAnswer({ isEmpty: response.length === 0 });
    } catch (error) {
      if (!signal.aborted) this.fail(error, signal);
    }
    return undefined;
  }

  fail(error, signal) {
    const wrong = wrongField(error, "convert");
    if (wrong) this.refuse(this.convert, wrong);
    else this.show(...failure(error, { retry: () => this.renew(), signal }));
  }

  refuse(field, words) {
    this.advise(words, field);
    this.show(el("p", { class: "empty" }, "The customers stand here once that is mended."));
  }

  advise(words, wrong = null) {
    setText(this.advice, words);
    for (const field of [this.top, this.convert]) field.setAttribute("aria-invalid", String(field === wrong));
  }

  show(...what) {
    this.place.replaceChildren(...what);
    this.place.setAttribute("aria-busy", "false");
  }
}

function table(spenders) {
  const unit = spenders[0].currency;
  const decimals = commonDecimals(spenders.map((one) => one.spent_money).filter((amount) => amount !== null));
  return el(
    "div",
    { class: "table-scroll", tabindex: 0, role: "group", "aria-label": "Table of customers" },
    el(
      "table",
      { id: "spenders" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col", class: "number" }, "#"),
          el("th", { scope: "col" }, "Customer"),
          el("th", { scope: "col", class: "number", dataset: { unit: unit ?? "file" } }, unit ? `Spent, ${unit}` : "Spent"),
          el("th", { scope: "col" }, "Gems"),
        ),
      ),
      el(
        "tbody",
        {},
        spenders.map((one, at) => row(one, at, decimals)),
      ),
    ),
  );
}

function row(spender, at, decimals) {
  return el(
    "tr",
    {},
    el("td", { class: "number muted" }, at + 1),
    el("th", { scope: "row" }, spender.username),
    el(
      "td",
      { class: "number", dataset: { cell: "spent" } },
      spender.spent_money === null ? noSum(spender) : amountElement(spender.spent_money, spender.currency ?? status.value?.deals_currency, decimals),
    ),
    el(
      "td",
      { dataset: { cell: "gems" } },
      spender.gems.length
        ? el(
            "ul",
            { class: "chips" },
            spender.gems.map((gem) => el("li", { class: "chip" }, gem)),
          )
        : el("span", { class: "muted" }, "none shared"),
    ),
  );
}

/** A sum of a part of the deals would pass for the whole. */
function noSum({ unpriced_deals: count, unpriced_from: first, unpriced_to: last }) {
  const [from, to] = [day(first), day(last)];
  const dates = from.textContent === to.textContent ? [from] : [from, " to ", to];
  return el(
    "div",
    { class: "no-sum" },
    el("strong", {}, "no sum"),
    el(
      "span",
      { class: "muted" },
      count === 1 ? "1 deal has no rate of its date: " : `${count.toLocaleString()} deals have no rate of their date: `,
      dates,
    ),
  );
}

/** As the file has it, in UTC. */
function day(iso) {
  return el("time", { datetime: iso, title: iso }, iso.slice(0, 10));
}

function nothingYet() {
  return el(
    "div",
    { class: "empty" },
    el("p", {}, el("strong", {}, "No deals yet.")),
    el(
      "p",
      {},
      "Upload a CSV file with the columns customer, item, total, quantity and date. Then this shows who spent most, and which items they share: their gems.",
    ),
  );
}
