/** What is made anew again and again, without losing what a visitor has selected in it or a screen reader reads. */

import { el } from "./dom.js";

/**
 * Has an element hold these children. Where those that it holds are made alike, they stay and only say something else;
 * so nothing in them may have listeners of its own.
 *
 * @param {Element} place
 * @param {...(Node | string | number | null | false | Array)} children as `el` takes them
 */
export function renew(place, ...children) {
  renewChildren(place, el("div", {}, children));
}

function renewChildren(place, made) {
  const [kept, fresh] = [[...place.childNodes], [...made.childNodes]];
  const isAlike = kept.length === fresh.length && fresh.every(({ nodeName }, at) => nodeName === kept[at].nodeName);
  if (!isAlike) return place.replaceChildren(...fresh);
  fresh.forEach((node, at) => (node instanceof Text ? renewText(kept[at], node) : renewElement(kept[at], node)));
}

function renewText(kept, { data }) {
  if (kept.data !== data) kept.data = data;
}

function renewElement(kept, made) {
  for (const { name } of [...kept.attributes]) if (!made.hasAttribute(name)) kept.removeAttribute(name);
  for (const { name, value } of made.attributes) if (kept.getAttribute(name) !== value) kept.setAttribute(name, value);
  renewChildren(kept, made);
}
