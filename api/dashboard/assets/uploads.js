/** The files of deals that were uploaded, newest first. */

import { charsetName } from "./charsets.js";
import { el } from "./dom.js";
import { failure } from "./failure.js";
import { fileSize } from "./filesize.js";
import { momentElement } from "./format.js";
import { getJson } from "./http.js";

const FIRST = "/api/deals/uploads/?limit=10";
const STATES = {
  current: ["up", "current", "Its deals are the deals."],
  replaced: ["", "replaced", "Its deals were the deals until another came."],
  refused: ["warn", "refused", "Something was wrong with it, so nothing of it was kept."],
};

/** The card with the list. */
export class UploadsCard {
  /** @param {{signal: AbortSignal}} options */
  constructor({ signal }) {
    this.asking = null;
    signal.addEventListener("abort", () => this.asking?.abort());
    this.place = el("div", { "aria-busy": "true" }, el("div", { class: "skeleton deals-skeleton" }));
    this.heading = el("h2", { id: "uploads-title", tabindex: -1 }, "Uploaded files");
    this.element = el("section", { class: "card uploads", "aria-labelledby": "uploads-title" }, this.heading, this.place);
  }

  /**
   * Shows the newest.
   *
   * @returns {Promise<object[]>} them; none where they cannot be had
   */
  async renew() {
    return (await this.load(FIRST)) ?? [];
  }

  /** The list that is asked for last is the one that is shown. Returns null where this one is not. */
  async load(path) {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.place.setAttribute("aria-busy", "true");
    try {
      const page = await getJson(path, { signal });
      this.show(
        page.results.length ? table(page.results) : el("p", { class: "muted empty" }, "No file was uploaded so far."),
        this.paging(page),
      );
      return page.results;
    } catch (error) {
      if (!signal.aborted) this.show(...failure(error, { retry: () => this.load(path), signal }));
      return null;
    }
  }

  show(...what) {
    this.place.replaceChildren(...what.filter(Boolean));
    this.place.setAttribute("aria-busy", "false");
  }

  paging({ previous, next }) {
    if (!previous && !next) return null;
    const turn = async (path) => {
      // The button is gone with the page that it stood on, and the focus with it, if it was there still.
      if ((await this.load(path)) && document.activeElement === document.body) this.heading.focus();
    };
    const button = (label, path) =>
      el("button", { type: "button", class: "button", disabled: !path, onclick: () => turn(path) }, label);
    return el(
      "nav",
      { class: "paging", "aria-label": "Pages of uploaded files" },
      button("Newer", previous),
      button("Older", next),
    );
  }
}

function table(uploads) {
  const columns = [["File"], ["State"], ["Deals", "number"], ["Size", "number"], ["Charset"], ["Received"], ["Number", "number"]];
  return el(
    "div",
    { class: "table-scroll", tabindex: 0, role: "group", "aria-label": "Table of uploaded files" },
    el(
      "table",
      { id: "uploads" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          columns.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)),
        ),
      ),
      el("tbody", {}, uploads.map(row)),
    ),
  );
}

function row(upload) {
  const [look, word, meaning] = STATES[upload.state];
  return el(
    "tr",
    { dataset: { upload: upload.id, state: upload.state } },
    el(
      "th",
      { scope: "row", title: `SHA-256 ${upload.sha256}` },
      upload.file_name || "without a name",
      upload.error && why(upload.error),
    ),
    el("td", {}, el("span", { class: `chip ${look}`, title: meaning }, word)),
    el("td", { class: "number" }, upload.rows === null ? "–" : upload.rows.toLocaleString()),
    el("td", { class: "number", title: `${upload.size} bytes` }, fileSize(upload.size)),
    el("td", {}, charsetName(upload.charset)),
    el("td", {}, momentElement(upload.date_added)),
    el("td", { class: "number muted" }, upload.id),
  );
}

function why(error) {
  const lines = error.split("\n");
  return el(
    "details",
    { class: "why" },
    el("summary", {}, "What was wrong"),
    el(
      "ul",
      { class: "wrong-lines" },
      lines.map((line) => el("li", {}, line)),
    ),
  );
}
