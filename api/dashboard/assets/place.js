/** Where the visitor was in each entry of the history, so that Back leads to the same place in a list. */

const MOST = 100;
/** Milliseconds for which a view that is still filling is followed to its place. */
const PATIENCE = 3000;
/** Milliseconds after the last step of scrolling: browsers take only so many changes of a state. */
const PAUSE = 150;
const ROW = "[data-currency]";
/** What says that the visitor goes somewhere else meanwhile. */
const MOVES = ["wheel", "touchstart", "keydown", "pointerdown"];

/**
 * @typedef {{top: number, row: string | null}} Place `top`: how far the page was scrolled; `row`: the currency of the row in
 *   which the focus was
 */

class Places {
  /** @type {Map<string, Place>} */
  #kept = new Map();
  #entry = "";
  #count = 0;
  #timer = 0;

  /** Keeps places from now on. Called once, by the page. */
  start() {
    history.scrollRestoration = "manual";
    window.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  /**
   * Called before a view is shown: keeps the row that is left, and says where the visitor was in this entry.
   *
   * @returns {Place | null} null for one that is new
   */
  enter() {
    const row = document.activeElement?.closest(ROW)?.dataset.currency;
    if (row && this.#entry) this.#note({ row });
    const state = history.state ?? {};
    if (state.entry) {
      this.#entry = state.entry;
      return this.#kept.get(state.entry) ?? { top: state.top ?? 0, row: null };
    }
    this.#count += 1;
    this.#entry = `${Date.now()}-${this.#count}`;
    history.replaceState({ ...state, entry: this.#entry }, "");
    return null;
  }

  #scrolled() {
    this.#note({ top: window.scrollY });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), PAUSE);
  }

  /** A page that is loaded anew has nothing but the state of the entry. */
  #save() {
    const { state } = history;
    const place = this.#kept.get(this.#entry);
    // The entry may be another one by now.
    if (place && state?.entry === this.#entry) history.replaceState({ ...state, top: place.top }, "");
  }

  #note(part) {
    const before = this.#kept.get(this.#entry) ?? { top: 0, row: null };
    this.#kept.set(this.#entry, { ...before, ...part });
    if (this.#kept.size > MOST) this.#kept.delete(this.#kept.keys().next().value);
  }
}

/** The places of this page. */
export const places = new Places();

/**
 * Goes to a place, and follows it there while the view fills.
 *
 * @param {Place} place
 * @param {AbortSignal} signal
 */
export function goTo({ top }, signal) {
  window.scrollTo(0, top);
  if (window.scrollY >= top - 1) return;
  const content = document.getElementById("content");
  const end = new AbortController();
  const grown = new ResizeObserver(() => {
    window.scrollTo(0, top);
    if (window.scrollY >= top - 1) end.abort();
  });
  end.signal.addEventListener("abort", () => grown.disconnect());
  signal.addEventListener("abort", () => end.abort(), { signal: end.signal });
  for (const move of MOVES) window.addEventListener(move, () => end.abort(), { signal: end.signal, passive: true });
  setTimeout(() => end.abort(), PATIENCE);
  grown.observe(content);
}

/**
 * @param {Place | null} place
 * @param {HTMLElement} container
 * @returns {HTMLElement | null} the link of the row in which the visitor was, where it is still there
 */
export function linkAt(place, container) {
  return place?.row ? container.querySelector(`tr[data-currency="${CSS.escape(place.row)}"] a`) : null;
}
