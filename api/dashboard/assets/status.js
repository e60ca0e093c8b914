/** How the service is, asked again and again while somebody looks; and the banners that say so in words. */

import { learn, secondsSince } from "./clock.js";
import { el } from "./dom.js";
import { momentElement } from "./format.js";
import { expectWaits, getJson } from "./http.js";
import { live } from "./live.js";

const PATH = "/api/status/";
const CALM = 10_000;
const WORRIED = 2000;
const PATIENCE = 5000;
const OK = "ok";

/**
 * @typedef {{datetime: string, version: string, simulated: boolean, sources: string[], stale_after: number,
 *   refresh_timeout: number, upload_needs_key: boolean, upload_max_bytes: number, deals_currency: string,
 *   newest_rate_at: string | null, ranked_at: string | null, database: string, queue: string, stream: string,
 *   catalog: string, workers: {pricing: number, ranking: number} | null}} Value
 */

class Status {
  #listeners = new Set();
  #timer = 0;
  #isAsking = false;
  #isWanted = false;
  #place = null;
  /** @type {Value | null} the last answer */
  value = null;
  /** Whether the last question was answered. */
  isReached = true;

  /**
   * Asks from now on, while the page is visible. Called once, by the page.
   *
   * @param {HTMLElement} place for the banners
   */
  start(place) {
    this.#place = place;
    document.addEventListener("visibilitychange", () => this.ask());
    window.addEventListener("online", () => this.ask());
    window.addEventListener("offline", () => this.ask());
    this.ask();
  }

  /**
   * @param {(value: Value | null, isReached: boolean) => void} listener called after each question
   * @returns {() => void} ends it
   */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks now, and goes on in its pace. */
  async ask() {
    this.#isWanted = true;
    if (this.#isAsking || document.visibilityState !== "visible") return;
    this.#isAsking = true;
    this.#isWanted = false;
    clearTimeout(this.#timer);
    try {
      this.value = await getJson(PATH, { patience: PATIENCE });
      this.isReached = true;
      learn(this.value.datetime);
      expectWaits(this.value.refresh_timeout);
    } catch {
      this.isReached = false;
    } finally {
      this.#isAsking = false;
    }
    this.#tell();
  }

  #tell() {
    const troubles = troublesOf(this.value, this.isReached);
    showBanners(this.#place, troubles);
    for (const listener of [...this.#listeners]) listener(this.value, this.isReached);
    // What has happened while the answer was under way may not be in it.
    if (this.#isWanted) this.ask();
    if (this.#isAsking) return;
    clearTimeout(this.#timer);
    const isWorried = live.state !== "live" || troubles.some(({ kind }) => kind !== "simulated");
    this.#timer = setTimeout(() => this.ask(), isWorried ? WORRIED : CALM);
  }
}

/** The one status of the page. */
export const status = new Status();

/**
 * What people must know, the worst first.
 *
 * @param {Value | null} value
 * @param {boolean} isReached
 * @returns {{kind: string, level: "danger" | "warn", words: Array<string | Node>}[]}
 */
export function troublesOf(value, isReached) {
  if (!isReached) {
    return [trouble("offline", "danger", "No connection to the server. What you see is the last that was known; this page goes on by itself.")];
  }
  return [
    value.database !== OK && trouble("database", "danger", "The database does not answer. Prices from memory are still shown; history and new prices come back with it."),
    value.queue !== OK && trouble("queue", "danger", "The queue does not answer. Prices are not renewed on request until it is back."),
    value.queue === OK && hasNoWorker(value) && trouble("workers", "danger", "No worker is alive, so no price is renewed. Start one: python -m worker"),
    value.queue === OK && value.workers?.ranking === 0 && trouble("ranking", "warn", "No worker ranks, so the order of the currencies and their names are not renewed. Start one with ranking among its WORKER_ROLES: python -m worker"),
    value.queue === OK && value.stream !== OK && trouble("stream", "warn", "Prices do not move: the stream of new rates is not being read. They move again by themselves as soon as it is."),
    value.database === OK && value.catalog !== OK && trouble("catalog", "warn", "The catalog of currencies is not loaded yet, so most of them are unknown here. It comes by itself with the first ranking."),
    isStale(value) && trouble("stale", "warn", ...staleWords(value)),
    value.simulated && trouble("simulated", "warn", "Simulated rates, not market prices. Do not trade on these."),
  ].filter(Boolean);
}

function trouble(kind, level, ...words) {
  return { kind, level, words };
}

function hasNoWorker(value) {
  return value.workers !== null && value.workers.pricing === 0;
}

function isStale(value) {
  return value.newest_rate_at !== null && secondsSince(value.newest_rate_at) > value.stale_after;
}

function staleWords(value) {
  return ["The prices are stale: the newest was fetched ", momentElement(value.newest_rate_at), ". They are renewed as soon as a source answers."];
}

/** A banner that says what it said is left alone: a screen reader reads what changes. */
function showBanners(place, troubles) {
  const kept = new Map([...place.children].map((banner) => [banner.dataset.banner, banner]));
  const banners = troubles.map(({ kind, level, words }) => {
    const banner = el("p", { class: `banner ${level}`, dataset: { banner: kind } }, words);
    const old = kept.get(kind);
    return old?.textContent === banner.textContent ? old : banner;
  });
  if (banners.length === place.children.length && banners.every((banner, at) => banner === place.children[at])) return;
  place.replaceChildren(...banners);
}
