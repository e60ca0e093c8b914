/** Sizes of files for people. */

const UNITS = ["bytes", "kB", "MB", "GB"];
const STEP = 1000;
const SHORT = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

/**
 * @param {number} bytes
 * @returns {string} `46.2 kB`
 */
export function fileSize(bytes) {
  let size = bytes;
  let unit = 0;
  while (size >= STEP && unit < UNITS.length - 1) {
    size /= STEP;
    unit += 1;
  }
  return `${SHORT.format(size)}\u00a0${UNITS[unit]}`;
}
