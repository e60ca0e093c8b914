/** The place of a chart: of one size whether it is loading, empty, in trouble or drawn. */

import { whenReachedAgain } from "./again.js";
import { el } from "./dom.js";
import { isPassing, showProblem } from "./http.js";

export class Stage {
  #cover = el("div", { class: "stage-cover" });
  #retry = () => {};
  #stopWaiting = () => {};

  /**
   * @param {{id: string, label: string, describedBy: string}} names of the chart: for tests and links, and for screen readers
   */
  constructor({ id, label, describedBy }) {
    this.chart = el("div", { id, class: "stage-chart", role: "img", "aria-label": label, "aria-describedby": describedBy });
    this.element = el("div", { class: "stage" }, this.chart, this.#cover);
    this.#show(
      "loading",
      el("span", { class: "skeleton stage-skeleton" }),
      el("span", { class: "visually-hidden" }, "Loading the chart"),
    );
  }

  /** Something new is on its way; what is drawn stays until then. */
  loading() {
    this.#stopWaiting();
    this.element.setAttribute("aria-busy", "true");
  }

  /** What is drawn is to be seen. */
  ready() {
    this.#show("ready");
  }

  /** @param {...(Node | string)} words why there is nothing, and what to do */
  empty(...words) {
    this.#show("empty", el("div", { class: "empty" }, words));
  }

  /**
   * Says what went wrong. What the server may answer when it is back is then tried again by itself.
   *
   * @param {unknown} error
   * @param {{retry: () => void, signal: AbortSignal}} options `signal` ends the waiting
   */
  problem(error, { retry, signal }) {
    this.#retry = retry;
    const card = showProblem(error, { retry: () => this.#retry() });
    const isTold = this.element.dataset.state === "problem" && this.#cover.textContent === card.textContent;
    // Told once: a screen reader would read it after each try, and the button lose the focus.
    if (isTold) this.element.setAttribute("aria-busy", "false");
    else this.#show("problem", card);
    if (isPassing(error)) this.#stopWaiting = whenReachedAgain(signal, retry);
  }

  #show(state, ...children) {
    this.#stopWaiting();
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "loading"));
    this.#cover.replaceChildren(...children);
  }
}
