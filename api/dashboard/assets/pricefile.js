/** The table of prices as a file: all digits, and where each price is from. */

import { downloadCsv } from "./csv.js";

const HEADER = ["Rank", "Currency", "Symbol", "Name", "Price USD", "Change 1h %", "Change 24h %", "Volume 24h USD", "Market cap USD", "Source", "Observed at", "Fetched at", "Stale"];

/** @param {import("./market.js").Row[]} rows */
export function downloadPrices(rows) {
  downloadCsv("prices.csv", HEADER, rows.map(cells));
}

function cells({ rank, currency, symbol, name, rate }) {
  return [rank, currency, symbol, name, rate?.price_usd, rate?.percent_change_1h, rate?.percent_change_24h, rate?.volume_24h, rate?.market_cap, rate?.source, rate?.actual_date, rate?.fetched_at, rate?.stale ?? ""];
}
