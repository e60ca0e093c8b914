/** The lines of a comparison by name: colour and dashes, change, and a way to take one out. */

import { STROKES } from "./comparefigure.js";
import { el, svg } from "./dom.js";
import { changeElement } from "./format.js";
import { renew } from "./renew.js";
import { format } from "./state.js";

export class Legend {
  element = el("ul", { class: "legend", "aria-label": "Compared currencies" });
  #changes = new Map();
  #onRemove;

  /** @param {{onRemove: (id: number) => void}} options */
  constructor({ onRemove }) {
    this.#onRemove = onRemove;
  }

  /** @param {{currency: object, slot: number}[]} members */
  list(members) {
    this.#changes.clear();
    this.element.replaceChildren(...members.map((member) => this.#entry(member)));
  }

  /**
   * @param {import("./comparison.js").Line[]} lines
   * @param {number | null} time where the crosshair stands; null: the last of each
   */
  show(lines, time) {
    const shown = new Map(
      lines.map(({ currency, points }) => [currency.id, time === null ? points.at(-1) : points.find((one) => one.time === time)]),
    );
    for (const [id, place] of this.#changes) {
      renew(place, shown.has(id) ? changeElement(shown.get(id)?.change) : el("span", { class: "muted" }, "no rates"));
    }
  }

  #entry({ currency, slot }) {
    const change = el("span", { class: "legend-change" });
    this.#changes.set(currency.id, change);
    return el(
      "li",
      { dataset: { currency: currency.id } },
      swatch(slot),
      el("a", { href: format({ view: "currency", id: currency.id }) }, currency.name),
      el("span", { class: "legend-symbol muted", title: currency.symbol }, currency.symbol),
      change,
      el(
        "button",
        {
          type: "button",
          class: "remove",
          "aria-label": `Remove ${currency.name}`,
          title: `Remove ${currency.name}`,
          onclick: () => this.#onRemove(currency.id),
        },
        "×",
      ),
    );
  }
}

function swatch(slot) {
  return svg(
    "svg",
    { class: "swatch", width: 34, height: 10, "aria-hidden": "true" },
    svg("line", {
      x1: 0,
      y1: 5,
      x2: 34,
      y2: 5,
      "stroke-width": 2.5,
      "stroke-dasharray": STROKES[slot],
      style: `stroke: var(--series-${slot + 1})`,
    }),
  );
}
