/** What a file of deals looks like. */

import { el } from "./dom.js";

const columns = (unit) => [
  ["customer", "who bought; any text"],
  ["item", "what was bought; any text"],
  ["total", "what it cost altogether", el("span", { dataset: { unit: "file" } }, unit), ": 10.50, with a point"],
  ["quantity", "how many"],
  ["date", "2026-11-20, 2026-11-20 9:45:00 or 2026-11-20T09:45:00+03:00; without zone UTC"],
];
const EXAMPLE =
  'customer,item,total,quantity,date\nbellwether,ruby,4000,2,2018-12-14 08:29:52\n"Smith, John",opal,612.50,1,2018-12-15';

/**
 * @param {string} unit words on the currency of the totals
 * @returns {HTMLElement} to be opened
 */
export function fileGuide(unit) {
  return el(
    "details",
    { class: "guide" },
    el("summary", {}, "What a file needs"),
    el(
      "p",
      {},
      "CSV: cells separated by commas, in quotes where a cell has a comma. Five columns, in any order where the first line names them:",
    ),
    el(
      "dl",
      {},
      columns(unit).map(([name, ...meaning]) => el("div", {}, el("dt", {}, el("code", {}, name)), el("dd", {}, meaning))),
    ),
    el("pre", { tabindex: 0, role: "region", "aria-label": "An example" }, EXAMPLE),
  );
}
