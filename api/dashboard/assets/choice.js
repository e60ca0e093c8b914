/** One of several: a row of buttons of which one is pressed. */

import { el } from "./dom.js";
import { RANGES } from "./ranges.js";

/**
 * @param {{label: string, options: Object<string, string>, value: string, onChoose: (value: string) => void,
 *   names?: Object<string, string>}} what `options`: what the buttons say, by value; `names`: what a screen reader says, where that is more
 * @returns {HTMLElement}
 */
export function choice({ label, options, value, onChoose, names = {} }) {
  const buttons = Object.entries(options).map(([option, text]) =>
    el(
      "button",
      {
        type: "button",
        class: "choice-button",
        dataset: { value: option },
        "aria-pressed": String(option === value),
        "aria-label": names[option],
        onclick: () => choose(option),
      },
      text,
    ),
  );
  return el("div", { class: "choice", role: "group", "aria-label": label }, buttons);

  function choose(option) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === option));
    onChoose(option);
  }
}

/**
 * How far back a chart looks.
 *
 * @param {{value: string, onChoose: (range: string) => void}} what names of ranges
 * @returns {HTMLElement}
 */
export function rangeChoice({ value, onChoose }) {
  const named = (part) => Object.fromEntries(Object.entries(RANGES).map(([name, range]) => [name, range[part]]));
  return choice({ label: "Range", options: named("short"), names: named("words"), value, onChoose });
}
