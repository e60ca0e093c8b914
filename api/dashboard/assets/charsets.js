/** The charsets that a file of deals may be in, by the names that the API knows them by. */

const ISO_PARTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16];
const WINDOWS_PAGES = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/** The first one is meant where none is said. */
export const CHARSETS = [
  "UTF-8",
  "US-ASCII",
  ...WINDOWS_PAGES.map((page) => `windows-125${page}`),
  ...ISO_PARTS.map((part) => `ISO-8859-${part}`),
  "KOI8-R",
  "KOI8-U",
  "cp866",
];

/**
 * The name by which a charset is offered here.
 *
 * @param {string} codec as the API names the charset of a file that it has read: `cp1251`
 * @returns {string} `windows-1251`
 */
export function charsetName(codec) {
  const said = codec.toLowerCase().replaceAll("_", "-");
  const name = said
    .replace(/^ascii$/, "us-ascii")
    .replace(/^cp(125[0-8])$/, "windows-$1")
    .replace(/^iso8859-/, "iso-8859-");
  return CHARSETS.find((one) => one.toLowerCase() === name) ?? codec;
}
