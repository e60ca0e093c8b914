/** Numbers of pages, with the neighbours of the one that is shown. */

import { el } from "./dom.js";

/**
 * @param {HTMLElement} place is filled anew, where that makes it another
 * @param {{page: number, pages: number, onPage: (page: number) => void}} options pages count from 1
 */
export function pager(place, { page, pages, onPage }) {
  const said = `${page}/${pages}`;
  if (place.dataset.said === said) return;
  const isHere = place.contains(document.activeElement);
  place.dataset.said = said;
  place.hidden = pages < 2;
  place.replaceChildren(
    button("Previous", page - 1, page === 1),
    ...numbers(page, pages).map((one) => (one === null ? el("span", { class: "muted", "aria-hidden": "true" }, "…") : button(String(one), one, false, one === page))),
    button("Next", page + 1, page === pages),
  );
  if (isHere) place.querySelector("[aria-current]")?.focus();

  function button(text, to, isDisabled, isCurrent = false) {
    const label = /^[0-9]/.test(text) ? `Page ${text}` : `${text} page`;
    return el("button", { type: "button", class: "button", disabled: isDisabled, "aria-label": label, "aria-current": isCurrent ? "page" : null, onclick: () => onPage(to) }, text);
  }
}

function numbers(page, pages) {
  const shown = [1, page - 1, page, page + 1, pages].filter((one) => one >= 1 && one <= pages);
  const sorted = [...new Set(shown)].sort((one, other) => one - other);
  return sorted.flatMap((one, at) => (at > 0 && one - sorted[at - 1] > 1 ? [null, one] : [one]));
}
