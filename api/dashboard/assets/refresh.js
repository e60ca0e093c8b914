/** "Refresh now": the rate is fetched from its source while the visitor watches. */

import { secondsSince } from "./clock.js";
import { el } from "./dom.js";
import { age, changeElement, momentElement, priceElement } from "./format.js";
import { getJson, Problem, showProblem } from "./http.js";
import { live } from "./live.js";
import { status } from "./status.js";
import { countdown, Stopwatch } from "./stopwatch.js";

const USUAL_LIMIT = 10;
const SLACK = 20;
const SECOND = 1000;

/**
 * A button that asks for a fresh rate, the time that this takes, and what came of it.
 *
 * @param {number} currencyId
 * @param {string} symbol
 * @param {{onRate?: (rate: object) => void, signal?: AbortSignal}} options `onRate` gets the fresh rate; `signal` aborts when the
 *   view is left
 * @returns {HTMLElement}
 */
export function refreshButton(currencyId, symbol, { onRate, signal } = {}) {
  const button = el(
    "button",
    { type: "button", class: "button primary", dataset: { action: "refresh" }, onclick: refresh },
    "Refresh now",
  );
  const waiting = el("div", { class: "refresh-waiting" });
  const told = el("div", { role: "status" });
  // A problem is an alert by itself.
  const trouble = el("div");
  let isWaiting = false;
  waiting.append(el("p", { class: "muted" }, "Asks the source now, while you wait."));
  return el("div", { class: "refresh" }, button, waiting, el("div", { dataset: { result: "refresh" } }, told, trouble));

  async function refresh() {
    if (isWaiting) return;
    isWaiting = true;
    // Not `disabled`, which would take the focus away from who presses it by the keyboard.
    button.setAttribute("aria-disabled", "true");
    const before = live.last(currencyId);
    const limit = status.value?.refresh_timeout;
    const watch = new Stopwatch({ label: `Time that refreshing ${symbol} takes`, limit });
    signal?.addEventListener("abort", () => watch.stop(), { once: true });
    waiting.replaceChildren(watch.element);
    told.replaceChildren(el("p", { class: "muted" }, `Asking the source for ${symbol}…`));
    trouble.replaceChildren();
    try {
      const rate = await getJson(`/api/latestrate/${currencyId}/`, { signal, patience: patienceFor(limit) });
      told.replaceChildren(freshRate(rate, before, watch.stop()));
      onRate?.(rate);
    } catch (error) {
      if (signal?.aborted) return;
      told.replaceChildren();
      trouble.replaceChildren(failure(error, symbol));
      if (error.retryAfter) trouble.append(countdown(error.retryAfter, signal));
    } finally {
      watch.stop();
      waiting.replaceChildren();
      button.removeAttribute("aria-disabled");
      isWaiting = false;
    }
  }
}

/** What came, how it differs from what was shown, and where it is from. */
function freshRate(rate, before, took) {
  const isSame = before?.id === rate.id;
  const moved = before && !isSame && percentBetween(before.price_usd, rate.price_usd);
  return el(
    "div",
    { class: "refresh-result", dataset: { outcome: "fresh" } },
    el(
      "p",
      { class: "refresh-price" },
      priceElement(rate.price_usd),
      " USD ",
      typeof moved === "number" && changeElement(moved),
      isSame && el("span", { class: "muted" }, "confirmed: the source still states the same"),
    ),
    el(
      "p",
      { class: "muted" },
      `From ${rate.source}, dated `,
      momentElement(rate.actual_date),
      ` (${age(secondsSince(rate.actual_date))} ago). It took ${took}.`,
    ),
  );
}

function failure(error, symbol) {
  const known = error instanceof Problem ? error.body?.last_rate : null;
  return el(
    "div",
    { dataset: { outcome: "failed" } },
    problem(error),
    known &&
      el(
        "p",
        { class: "refresh-known" },
        `The last known rate of ${symbol}: `,
        priceElement(known.price_usd),
        ` USD, from ${known.source}, ${age(secondsSince(known.actual_date))} old.`,
      ),
  );
}

/** In a line or two, for the chart below must not move. */
function problem(error) {
  if (!(error instanceof Problem)) return showProblem(error);
  return el("p", { role: "alert" }, el("strong", { class: "error-title" }, `${error.title}. `), error.detail);
}

/** The server says by itself when its own limit is over. */
function patienceFor(limit) {
  return ((limit ?? USUAL_LIMIT) + SLACK) * SECOND;
}

/** To show only, so floats are fine. */
function percentBetween(before, after) {
  return Number(before) > 0 ? (Number(after) / Number(before) - 1) * 100 : null;
}
