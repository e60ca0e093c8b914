/** The order of the table where its head has no room: on a phone. */

import { el, setText } from "./dom.js";
import { SORTS } from "./table.js";

/**
 * @param {{onSort: (sort: string) => void, onTurn: () => void}} actions `onTurn`: the other way round
 * @returns {{element: HTMLElement, show: (order: {sort: string, down: boolean}) => void}}
 */
export function sorter({ onSort, onTurn }) {
  const select = el("select", { id: "sort", onchange: () => onSort(select.value) }, SORTS.map(({ sort, label }) => el("option", { value: sort }, label)));
  const turn = el("button", { type: "button", class: "button", onclick: onTurn });
  const element = el("div", { class: "sorter field" }, el("label", { for: "sort", class: "visually-hidden" }, "Sort by"), select, turn);
  return {
    element,
    show({ sort, down }) {
      select.value = sort;
      setText(turn, down ? "↓" : "↑");
      turn.setAttribute("aria-label", down ? "Descending, turn round" : "Ascending, turn round");
    },
  };
}
