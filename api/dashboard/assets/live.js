/**
 * Rates as they are stored: one WebSocket for the whole page, which comes back by itself.
 *
 * What is watched is counted by currency, and what the server is told is the difference, once per microtask.
 *
 * @typedef {{id: number, currency: number, symbol: string, price_usd: string, percent_change_1h: number | null,
 *   percent_change_24h: number | null, volume_24h: string | null, market_cap: string | null, source: string,
 *   actual_date: string, fetched_at: string, date_added: string, stale: boolean}} Rate
 */

const PATH = "/api/ws/";
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
/** A connection that held for so long counts as good, so that the next pause is the first again. */
const STEADY = 5000;
/** After so long without a word, a page that is looked at again asks whether its connection still holds. */
const SILENCE = 60_000;
/** Milliseconds for an answer to a question that only asks whether somebody is there. */
const PATIENCE = 4000;
/** The server takes so many ids by name. */
const MOST = 1000;

class Live {
  #watched = new Map();
  #last = new Map();
  #listeners = new Set();
  #state = "connecting";
  #socket = null;
  #told = new Set();
  #isTelling = false;
  #pause = FIRST_PAUSE;
  #timer = 0;
  #openedAt = 0;
  #heardAt = 0;

  /** Connects, and stays so. Called once, by the page. */
  start() {
    window.addEventListener("online", () => this.#hurry());
    window.addEventListener("offline", () => this.#drop());
    document.addEventListener("visibilitychange", () => this.#seen());
    this.#connect();
  }

  /** Connects now, where it is waiting to: the server has just answered another question. */
  retry() {
    if (this.#openedAt || this.#socket?.readyState === WebSocket.CONNECTING) return;
    this.#connect();
  }

  /** @returns {"connecting" | "live" | "offline"} */
  get state() {
    return this.#state;
  }

  /**
   * @param {(state: "connecting" | "live" | "offline") => void} listener called at each change
   * @returns {() => void} ends it
   */
  onState(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Tells of rates: at once of those that are known here, then of each new one.
   *
   * @param {Iterable<number>} ids
   * @param {(rate: Rate) => void} onRate
   * @returns {() => void} ends it; may be called twice
   */
  watch(ids, onRate) {
    const mine = new Set(ids);
    const watcher = { onRate };
    for (const id of mine) {
      if (!this.#watched.has(id)) this.#watched.set(id, new Set());
      this.#watched.get(id).add(watcher);
    }
    this.#tellSoon();
    for (const id of mine) if (this.#last.has(id)) tell(watcher, this.#last.get(id));
    return () => this.#stop(mine, watcher);
  }

  /**
   * @param {number} id
   * @returns {Rate | undefined} the last that was told of a currency that is watched
   */
  last(id) {
    return this.#last.get(id);
  }

  #stop(ids, watcher) {
    for (const id of ids) {
      const watchers = this.#watched.get(id);
      watchers?.delete(watcher);
      if (watchers?.size === 0) {
        this.#watched.delete(id);
        this.#last.delete(id);
      }
    }
    this.#tellSoon();
  }

  #tellSoon() {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      this.#tell();
    });
  }

  #tell() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const wanted = new Set([...this.#watched.keys()].slice(0, MOST));
    const dropped = [...this.#told].filter((id) => !wanted.has(id));
    const added = [...wanted].filter((id) => !this.#told.has(id));
    if (dropped.length) this.#socket.send(JSON.stringify({ unsubscribe: dropped }));
    if (added.length) this.#socket.send(JSON.stringify({ subscribe: added }));
    this.#told = wanted;
  }

  #connect() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${PATH}`);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = () => this.#lost(socket);
  }

  #opened() {
    this.#openedAt = this.#heardAt = Date.now();
    this.#told = new Set();
    this.#become("live");
    this.#tell();
  }

  #hear(data) {
    this.#heardAt = Date.now();
    const { rate } = JSON.parse(data);
    const watchers = rate && this.#watched.get(rate.currency);
    if (!watchers) return;
    this.#last.set(rate.currency, rate);
    for (const watcher of [...watchers]) tell(watcher, rate);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    if (this.#openedAt && Date.now() - this.#openedAt > STEADY) this.#pause = FIRST_PAUSE;
    this.#openedAt = 0;
    this.#become("offline");
    // Jittered, so that many pages do not come back in the same moment.
    this.#timer = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #hurry() {
    this.#pause = FIRST_PAUSE;
    this.retry();
  }

  #drop() {
    const socket = this.#socket;
    socket?.close();
    // The browser may take its time to see the end of a connection that has no network any more.
    if (socket) this.#lost(socket);
    this.#socket = null;
  }

  #seen() {
    if (document.visibilityState !== "visible") return;
    if (this.#openedAt && Date.now() - this.#heardAt > SILENCE) this.#probe();
    else this.#hurry();
  }

  /** Whoever subscribes is told the last rate at once, so a connection without an answer is none. */
  #probe() {
    const socket = this.#socket;
    const [id] = this.#last.keys();
    if (id === undefined || socket?.readyState !== WebSocket.OPEN) return;
    const heardAt = this.#heardAt;
    for (const word of ["unsubscribe", "subscribe"]) socket.send(JSON.stringify({ [word]: [id] }));
    setTimeout(() => {
      if (socket !== this.#socket || this.#heardAt !== heardAt) return;
      this.#drop();
      this.#hurry();
    }, PATIENCE);
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

/** What breaks in one part of the page must not keep rates from another. */
function tell(watcher, rate) {
  try {
    watcher.onRate(rate);
  } catch (error) {
    reportError(error);
  }
}

/** The one connection of the page. */
export const live = new Live();
