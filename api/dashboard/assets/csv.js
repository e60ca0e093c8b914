/** CSV of what is seen. */

const NUMBER = /^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$/i;
/** A spreadsheet runs a cell that begins so. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Has the browser save rows as a file: UTF-8, lines end in CRLF, and no text is run as a formula.
 *
 * @param {string} name of the file
 * @param {string[]} header
 * @param {Array<Array<string | number | null | undefined>>} rows decimals as the API's text, so that no digit is lost
 */
export function downloadCsv(name, header, rows) {
  const address = URL.createObjectURL(new Blob([csv(header, rows)], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser needs the address until it has begun to save.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * @param {string[]} header
 * @param {Array<Array<string | number | null | undefined>>} rows
 * @returns {string}
 */
export function csv(header, rows) {
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
