/** The converter: an amount of a currency in another, by the rates of now. */

import { AMOUNT_ADVICE, isAmount } from "./amount.js";
import { el } from "./dom.js";
import { failure, wrongField } from "./failure.js";
import { getJson, Problem } from "./http.js";
import { live } from "./live.js";
import { currencyPicker } from "./picker.js";
import { quoteCard } from "./quote.js";
import { idOf, update } from "./state.js";

const BITCOIN = 1;
const DOLLAR = 2781;
const TYPING_PAUSE = 300;
const LIVE_PAUSE = 2000;
/** Confirmations of a rate are not told live, so ages are asked for. */
const RENEWAL = 20_000;
const SECOND = 1000;
const REFUSED = 400;

export const title = "Convert";

/**
 * @param {HTMLElement} container
 * @param {{params: {amount?: string, from?: string, to?: string}, signal: AbortSignal}} state
 */
export function show(container, { params, signal }) {
  new Converter(container, params, signal).start();
}

class Converter {
  constructor(container, params, signal) {
    this.signal = signal;
    this.amount = params.amount ?? "1";
    /** Ids at first, then what was picked. */
    this.from = idOf(params.from) ?? BITCOIN;
    this.to = idOf(params.to) ?? DOLLAR;
    this.card = null;
    this.asking = null;
    this.askedAt = 0;
    this.timer = 0;
    this.isNew = true;
    this.isAsking = false;
    this.hasMoved = false;
    this.isRefused = false;
    this.stopWatching = () => {};
    this.input = el("input", {
      id: "convert-amount",
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      value: this.amount,
      "aria-describedby": "convert-hint convert-advice",
      oninput: () => this.typed(),
    });
    this.advice = el("p", { id: "convert-advice", class: "field-error", role: "status" });
    this.fromPlace = el("div", { class: "convert-currency" });
    this.toPlace = el("div", { class: "convert-currency" });
    this.announced = el("p", { class: "visually-hidden", role: "status" });
    this.place = el("div", { class: "convert-result", "aria-busy": "true" }, el("div", { class: "skeleton quote-skeleton" }));
    this.note = el("div");
    container.append(
      el(
        "form",
        { class: "card convert-form", onsubmit: (event) => this.submitted(event) },
        el(
          "div",
          { class: "field" },
          el(
            "span",
            {},
            el("label", { for: "convert-amount" }, "Amount"),
            el("span", { id: "convert-hint" }, ", with a point: 1.5"),
          ),
          this.input,
        ),
        this.fromPlace,
        el(
          "button",
          {
            type: "button",
            class: "button convert-swap",
            dataset: { action: "swap" },
            "aria-label": "Swap the currencies",
            title: "Swap the currencies",
            onclick: () => this.swap(),
          },
          "⇄",
        ),
        this.toPlace,
        this.advice,
      ),
      el("section", { class: "card", "aria-label": "Result" }, this.place, this.note),
      this.announced,
    );
  }

  start() {
    this.showPickers();
    const ticking = setInterval(() => this.card?.tick(), SECOND);
    const renewing = setInterval(() => document.visibilityState === "visible" && this.moved(), RENEWAL);
    this.signal.addEventListener("abort", () => {
      clearInterval(ticking);
      clearInterval(renewing);
      clearTimeout(this.timer);
      this.asking?.abort();
      this.stopWatching();
    });
    this.changed(0);
  }

  showPickers() {
    const picker = (label, side) =>
      currencyPicker({
        label,
        value: this[side],
        onPick: (currency) => {
          this[side] = currency;
          this.changed(0);
        },
      });
    this.fromPlace.replaceChildren(picker("From", "from"));
    this.toPlace.replaceChildren(picker("To", "to"));
  }

  typed() {
    this.amount = this.input.value.trim();
    this.changed(TYPING_PAUSE);
  }

  submitted(event) {
    event.preventDefault();
    this.changed(0);
  }

  swap() {
    [this.from, this.to] = [this.to, this.from];
    this.showPickers();
    this.changed(0);
  }

  /** Another question: the old answer must not pass for the new one's. */
  changed(pause) {
    this.asking?.abort();
    clearTimeout(this.timer);
    this.isNew = true;
    this.isRefused = false;
    update({ amount: this.amount, from: idIn(this.from), to: idIn(this.to) });
    const isGood = isAmount(this.amount);
    this.advice.textContent = isGood ? "" : AMOUNT_ADVICE;
    this.input.setAttribute("aria-invalid", String(!isGood));
    this.place.setAttribute("aria-busy", String(isGood));
    if (!isGood) this.card = null;
    this.place.classList.toggle("outdated", isGood);
    if (!isGood)
      this.place.replaceChildren(el("p", { class: "muted empty" }, "The result stands here once the amount is a number."));
    this.watch();
    if (isGood) this.askSoon(pause);
  }

  /** The dollar has no rate that could move. */
  watch() {
    const ids = [idIn(this.from), idIn(this.to)].filter((id) => id !== DOLLAR);
    const stop = live.watch(ids, () => this.moved());
    // Only now: what nobody watches is forgotten.
    this.stopWatching();
    this.stopWatching = stop;
  }

  /** A rate moved. An answer that is on its way comes first, however often they move. */
  moved() {
    this.hasMoved = this.isNew || this.isAsking;
    if (!this.hasMoved && !this.isRefused) this.askSoon(Math.max(0, this.askedAt + LIVE_PAUSE - Date.now()));
  }

  askSoon(pause) {
    if (!isAmount(this.amount)) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pause);
  }

  async ask() {
    this.asking?.abort();
    this.asking = new AbortController();
    this.askedAt = Date.now();
    this.isAsking = true;
    const { signal } = this.asking;
    const query = new URLSearchParams({ id: idIn(this.from), convert_id: idIn(this.to), amount: this.amount });
    try {
      const { results } = await getJson(`/api/quotes/?${query}`, { signal });
      this.showQuote(results[0]);
    } catch (error) {
      if (!signal.aborted) this.showFailure(error, signal);
    }
  }

  showQuote(currency) {
    this.card = quoteCard(this.amount, currency);
    this.place.replaceChildren(this.card.element);
    this.note.replaceChildren();
    this.settle(this.card.words);
  }

  /** What is shown stays where it still answers what is asked; its ages go on. */
  showFailure(error, signal) {
    // Asked again, it would be the same.
    this.isRefused = error.status === REFUSED || Boolean(error.body?.unknown);
    if (this.isNew || !this.card) {
      this.card = null;
      this.place.replaceChildren(...failure(named(error, idIn(this.to)), { retry: () => this.askSoon(0), signal }));
      this.note.replaceChildren();
    } else {
      this.note.replaceChildren(
        el(
          "p",
          { class: "muted", role: "status" },
          `Not renewed: ${error.title ?? "something broke"}. This page asks again by itself.`,
        ),
      );
    }
    this.settle("");
  }

  settle(words) {
    // Whoever listens is told what they asked for, and not each time that a price moves.
    if (this.isNew) this.announced.textContent = words;
    this.isNew = false;
    this.isAsking = false;
    if (this.hasMoved) this.moved();
    this.place.classList.remove("outdated");
    this.place.setAttribute("aria-busy", "false");
  }
}

/** The API names symbols and ids that it does not know; people who came by a link see neither. */
function named(error, to) {
  const unknown = error.body?.unknown ?? (wrongField(error, "convert_id") ? [to] : []);
  if (!unknown.length) return error;
  return new Problem({
    title: "No such currency",
    detail: `No currency has the id ${unknown.join(", ")}. Choose another one.`,
    status: error.status,
  });
}

function idIn(side) {
  return typeof side === "number" ? side : side.id;
}
