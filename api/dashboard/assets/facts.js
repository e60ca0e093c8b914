/** What is known of a currency beyond its price. */

import { el } from "./dom.js";
import { compact, momentElement } from "./format.js";

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/**
 * What moves with the price.
 *
 * @param {object | null} rate as the API has it
 * @returns {HTMLElement}
 */
export function rateFacts(rate) {
  return list([
    ["Volume, 24 h", amount(rate?.volume_24h, "USD")],
    ["Market cap", amount(rate?.market_cap, "USD")],
    ["Observed by the source", rate && momentElement(rate.actual_date)],
    ["Fetched", rate && momentElement(rate.fetched_at)],
    ["Exact price", rate && el("code", { class: "exact" }, `${rate.price_usd} USD`)],
  ]);
}

/**
 * What stays.
 *
 * @param {object} currency the API's detail
 * @returns {HTMLElement}
 */
export function currencyFacts(currency) {
  return list([
    ["Id", el("code", {}, currency.id)],
    ["Kind", KINDS[currency.kind] ?? currency.kind],
    ["Platform", currency.platform],
    ["Circulating supply", amount(currency.circulating_supply, currency.symbol)],
    ["Total supply", amount(currency.total_supply, currency.symbol)],
    ["Maximum supply", amount(currency.max_supply, currency.symbol)],
    [
      "First seen",
      currency.first_seen &&
        el("time", { datetime: currency.first_seen, title: currency.first_seen }, DAY.format(Date.parse(currency.first_seen))),
    ],
    [
      "Tags",
      currency.tags.length > 0 &&
        el(
          "span",
          { class: "chips" },
          currency.tags.map((tag) => el("span", { class: "chip" }, tag)),
        ),
    ],
    ["Links", links(currency.links)],
    ["Known as", aliases(currency.aliases)],
  ]);
}

const KINDS = { crypto: "Cryptocurrency", fiat: "Fiat currency", local: "Known to one source only" };

function list(facts) {
  return el(
    "dl",
    { class: "facts" },
    facts.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

function amount(text, unit) {
  if (!text) return null;
  return el("span", {}, el("data", { value: text, title: `${text} ${unit}` }, compact(text)), ` ${unit}`);
}

function links(byKind) {
  const known = Object.entries(byKind).flatMap(([kind, addresses]) => addresses.map((address) => [kind, address]));
  const shown = known.filter(([, address]) => /^https?:\/\//i.test(address));
  if (shown.length === 0) return null;
  return el(
    "ul",
    { class: "link-list" },
    shown.map(([kind, address]) =>
      el(
        "li",
        {},
        el("a", { href: address, rel: "noopener noreferrer nofollow", target: "_blank" }, `${wordsOf(kind)}: ${hostOf(address)}`),
      ),
    ),
  );
}

/** `source_code` is "Source code". */
function wordsOf(kind) {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`.replaceAll("_", " ");
}

function hostOf(address) {
  try {
    return new URL(address).host;
  } catch {
    return address;
  }
}

function aliases(known) {
  if (known.length === 0) return null;
  return el(
    "ul",
    { class: "link-list" },
    known.map(({ source, source_id: id, symbol }) =>
      el("li", {}, `${symbol} `, el("span", { class: "muted" }, `at ${source}, id ${id}`)),
    ),
  );
}
