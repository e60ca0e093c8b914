/** What the whole catalog has, for a search that finds nothing in the table. */

import { whenReachedAgain } from "./again.js";
import { el } from "./dom.js";
import { getJson, isPassing, showProblem } from "./http.js";
import { format } from "./state.js";

const PATIENCE = 250;
const MOST = 12;
const NOTHING = "No currency is known yet: the catalog is being loaded. The table fills by itself; if it does not within a minute, look at the worker's log.";

/** What stands where no row is. */
export class Elsewhere {
  #place;
  #signal;
  #text = "";

  /**
   * @param {HTMLElement} place
   * @param {AbortSignal} signal
   */
  constructor(place, signal) {
    this.#place = place;
    this.#signal = signal;
  }

  /**
   * Offers what the catalog has. What is offered for a text stays while it is the same: whoever reads it is not disturbed.
   *
   * @param {string} text what is searched for; empty where there are rows
   * @param {{isAll?: boolean}} options `isAll`: nothing is searched for, and still there is no row
   */
  show(text, { isAll = false } = {}) {
    const wanted = text.trim();
    if (wanted && wanted === this.#text && this.#place.querySelector(".elsewhere")) return;
    this.#text = wanted;
    if (isAll) this.#place.replaceChildren(el("p", { class: "card empty" }, NOTHING));
    else this.#place.replaceChildren(...(wanted ? [offer(wanted, this.#signal)] : []));
  }
}

/** @returns {HTMLElement} a card that fills by itself */
function offer(text, signal) {
  const card = el("div", { class: "card elsewhere", role: "status" }, el("p", { class: "muted" }, "Not in this table. Looking in the whole catalog …"));
  // Whoever goes on typing takes the card away before it asks.
  setTimeout(() => card.isConnected && fill(card, text, signal), PATIENCE);
  return card;
}

async function fill(card, text, signal) {
  try {
    const { results } = await getJson(`/api/currencies/?${new URLSearchParams({ q: text, limit: String(MOST) })}`, { signal });
    if (results.length === 0) card.replaceChildren(el("p", { class: "empty" }, `No currency matches “${text}”. Try a part of its name or its symbol.`));
    else card.replaceChildren(el("p", { class: "muted" }, "Not in this table, but in the catalog:"), el("ul", { class: "offers" }, results.map(found)));
  } catch (problem) {
    if (signal.aborted) return;
    card.replaceChildren(showProblem(problem, { retry: () => fill(card, text, signal) }));
    if (isPassing(problem)) whenReachedAgain(signal, () => card.isConnected && fill(card, text, signal));
  }
}

function found({ id, name, symbol, rank }) {
  const place = rank === null ? "" : ` #${rank}`;
  return el("li", {}, el("a", { href: format({ view: "currency", id }) }, name, " ", el("span", { class: "symbol" }, symbol)), el("span", { class: "muted" }, place));
}
