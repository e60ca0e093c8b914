/** Choosing a currency by typing: a combobox with a list (ARIA 1.2). */

import { el } from "./dom.js";
import { getJson } from "./http.js";

const PAUSE = 150;
const ASKED = 100;
const SHOWN = 12;
let count = 0;

/**
 * A field in which a currency is found by its symbol or name.
 *
 * @param {{label: string, value?: object | number | null, onPick: (currency: object) => void, keeps?: boolean}} options `value`: a
 *   currency or its id; `keeps`: whether the field shows what was picked afterwards, or is empty for the next one
 * @returns {HTMLElement}
 */
export function currencyPicker({ label, value = null, onPick, keeps = true }) {
  const id = `picker-${++count}`;
  const input = el("input", {
    id,
    class: "picker-input",
    type: "text",
    role: "combobox",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    placeholder: "Symbol or name",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": `${id}-list`,
    oninput: typed,
    onkeydown: press,
    onclick: () => isClosed() && searchSoon(0),
    onfocus: () => input.select(),
    onblur: leave,
  });
  const list = el("ul", { id: `${id}-list`, class: "picker-list", role: "listbox", "aria-label": "Currencies", hidden: true });
  const note = el("p", { class: "visually-hidden", role: "status" });
  let picked = typeof value === "object" ? value : null;
  let found = [];
  let active = -1;
  let timer = null;
  let asking = null;
  /** Enter was pressed before the answer to what is typed was there. */
  let isAwaited = false;
  input.value = nameOf(picked);
  if (typeof value === "number") showById(value);
  return el("div", { class: "field picker" }, el("label", { for: id }, label), input, list, note);

  async function showById(currencyId) {
    let known;
    try {
      known = await getJson(`/api/currencies/${currencyId}/`);
    } catch {
      // The view says what is wrong with the id; the field stays empty for another one.
      return;
    }
    // Whoever was quicker than the answer has picked another one.
    if (picked !== null) return;
    picked = known;
    if (input.value === "" && document.activeElement !== input) input.value = nameOf(picked);
  }

  /** What was found for the former text answers another question. */
  function typed() {
    asking?.abort();
    asking = null;
    isAwaited = false;
    found = [];
    activate(-1);
    searchSoon(PAUSE);
  }

  function searchSoon(pause) {
    clearTimeout(timer);
    timer = setTimeout(search, pause);
  }

  function isSearching() {
    return timer !== null || asking !== null;
  }

  async function search() {
    timer = null;
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    const text = input.value === nameOf(picked) ? "" : input.value.trim();
    try {
      const query = text === "" ? `limit=${SHOWN}` : `${new URLSearchParams({ q: text, limit: ASKED })}`;
      const { results } = await getJson(`/api/currencies/?${query}`, { signal });
      found = ordered(results, text.toLowerCase()).slice(0, SHOWN);
      asking = null;
      if (isAwaited && found.length) pick(found[0]);
      else if (document.activeElement === input) open(found.length ? "" : "No currency matches.");
    } catch (error) {
      if (signal.aborted) return;
      asking = null;
      found = [];
      if (document.activeElement === input) open(error.detail || "The currencies cannot be listed now.");
    }
  }

  function open(message) {
    isAwaited = false;
    list.replaceChildren(...found.map(option));
    if (message) list.append(el("li", { class: "picker-note muted", role: "option", "aria-disabled": "true" }, message));
    note.textContent = message || `${found.length} currencies, choose with the arrow keys`;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    activate(found.length && input.value !== nameOf(picked) ? 0 : -1);
  }

  function option(currency, index) {
    return el(
      "li",
      {
        id: `${id}-${index}`,
        role: "option",
        "aria-selected": "false",
        // Before the field loses the focus, which would close the list.
        onpointerdown: (event) => event.preventDefault(),
        onclick: () => pick(currency),
      },
      el("strong", {}, currency.symbol),
      " ",
      el("span", { class: "picker-name", title: currency.name }, currency.name),
      " ",
      currency.is_active
        ? el("span", { class: "muted", title: "CoinMarketCap rank" }, rankOf(currency))
        : el("span", { class: "muted" }, "inactive"),
    );
  }

  function activate(index) {
    active = index;
    for (const [at, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(at === index));
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", `${id}-${index}`);
      list.children[index].scrollIntoView({ block: "nearest" });
    }
  }

  function press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (isClosed()) searchSoon(0);
      else if (found.length) activate((active + step + found.length + (active < 0 && step < 0 ? 1 : 0)) % found.length);
    } else if (event.key === "Enter" && (isSearching() || !isClosed())) {
      event.preventDefault();
      if (active >= 0) pick(found[active]);
      else awaitSearch();
    } else if (event.key === "Escape" && !isClosed()) {
      event.preventDefault();
      close();
    }
  }

  /** Chooses the best of what will be found, and asks at once. */
  function awaitSearch() {
    isAwaited = isSearching() && !["", nameOf(picked)].includes(input.value.trim());
    if (isAwaited && timer !== null) searchSoon(0);
  }

  function pick(currency) {
    picked = keeps ? currency : null;
    input.value = nameOf(picked);
    close();
    onPick(currency);
  }

  function leave() {
    if (input.value.trim() !== nameOf(picked)) input.value = nameOf(picked);
    close();
  }

  function close() {
    clearTimeout(timer);
    timer = null;
    asking?.abort();
    asking = null;
    isAwaited = false;
    list.hidden = true;
    note.textContent = "";
    input.setAttribute("aria-expanded", "false");
    activate(-1);
  }

  function isClosed() {
    return list.hidden;
  }
}

/** The API lists by rank, with fiat currencies last: who types EUR means none of the coins that are merely spelled with it. */
function ordered(currencies, text) {
  const score = ({ symbol, name }) => {
    const [code, title] = [symbol.toLowerCase(), name.toLowerCase()];
    if (code === text || title === text) return 0;
    return code.startsWith(text) || title.startsWith(text) ? 1 : 2;
  };
  return [...currencies].sort((one, other) => score(one) - score(other));
}

function nameOf(currency) {
  return currency ? `${currency.symbol} · ${currency.name}` : "";
}

function rankOf(currency) {
  return currency.rank === null ? "" : `#${currency.rank}`;
}
