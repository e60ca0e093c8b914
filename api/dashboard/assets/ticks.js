/** Where the marks of an axis stand and what they say: round numbers, and round local times. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * MINUTE);
const DAY_STEPS = [1, 2, 5, 7, 14];
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120];
const MONTH = 30.44 * DAY;
/** Up to so many digits after the point a mark is written out. */
const MOST_DECIMALS = 12;
/** Of a letter of a mark, in pixels. */
const CHARACTER = 7.2;
const AIR = 10;

/** Pixels from a mark to the next, at least. */
export const TICK_WIDTH = 84;
export const TICK_HEIGHT = 56;

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const MONTH_NAME = new Intl.DateTimeFormat(undefined, { month: "short" });
const YEAR_NUMBER = new Intl.DateTimeFormat(undefined, { year: "numeric" });

/**
 * @typedef {{values: number[], texts: string[]}} Ticks
 */

/**
 * Round local times.
 *
 * @param {number} from milliseconds since 1970
 * @param {number} to
 * @param {number} most how many there is room for
 * @returns {Ticks}
 */
export function timeTicks(from, to, most) {
  const wanted = (to - from) / Math.max(1, most);
  const clock = CLOCK_STEPS.find((step) => step >= wanted);
  const days = DAY_STEPS.find((step) => step * DAY >= wanted);
  const months = MONTH_STEPS.find((step) => step * MONTH >= wanted) ?? MONTH_STEPS.at(-1);
  const round = clock ? wholeOf(clock) : days ? wholeDays(days) : wholeMonths(months);
  const values = [];
  for (let time = round.first(new Date(from)); time.getTime() <= to; time = round.next(time)) {
    if (time.getTime() >= from) values.push(time.getTime());
  }
  return { values, texts: values.map((value) => timeText(new Date(value))) };
}

/**
 * Round numbers.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} most how many there is room for
 * @param {{unit?: string, isSigned?: boolean}} how
 * @returns {Ticks}
 */
export function valueTicks(low, high, most, { unit = "", isSigned = false } = {}) {
  const rough = (high - low) / Math.max(1, most);
  if (!(rough > 0)) return { values: [], texts: [] };
  const scale = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((times) => times * scale).find((size) => size >= rough * 0.999);
  const values = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) values.push(at * step);
  const format = valueFormat(step, Math.max(Math.abs(low), Math.abs(high)), isSigned);
  return { values, texts: values.map((value) => format.format(Math.abs(value) < step / 2 ? 0 : value) + unit) };
}

/**
 * @param {string[]} texts
 * @returns {number} how many pixels the longest takes beside the plot
 */
export function roomFor(texts) {
  return Math.ceil(Math.max(...texts.map((text) => text.length)) * CHARACTER) + AIR;
}

/**
 * Ticks without the words where another mark stands; their lines stay.
 *
 * @param {Ticks} ticks
 * @param {number} at where the other mark stands
 * @param {number} near nearer than that is too near
 * @returns {Ticks}
 */
export function without({ values, texts }, at, near) {
  return { values, texts: texts.map((text, one) => (Math.abs(values[one] - at) < near ? "" : text)) };
}

function valueFormat(step, greatest, isSigned) {
  const signDisplay = isSigned ? "exceptZero" : "auto";
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (isQuarter(step) ? 1 : 0));
  if (decimals > MOST_DECIMALS)
    return new Intl.NumberFormat(undefined, { notation: "scientific", maximumSignificantDigits: 4, signDisplay });
  if (greatest >= 1e9) return new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 5, signDisplay });
  return new Intl.NumberFormat(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals, signDisplay });
}

/** Steps of 2.5, 0.25 and so on need a digit more. */
function isQuarter(step) {
  const lead = step / 10 ** Math.floor(Math.log10(step) + 1e-9);
  return Math.abs(lead - 2.5) < 0.01;
}

/** By local fields, so that the marks stay on round times where the clocks are changed. */
function wholeOf(step) {
  const atMinute = (time, minute) => new Date(time.getFullYear(), time.getMonth(), time.getDate(), 0, minute);
  const minuteOf = (time) => time.getHours() * 60 + time.getMinutes();
  const minutes = step / MINUTE;
  return {
    first: (time) => atMinute(time, minuteOf(time) - (minuteOf(time) % minutes)),
    next: (time) => atMinute(time, minuteOf(time) + minutes),
  };
}

function wholeDays(step) {
  const onDay = (number) => new Date(1970, 0, 1 + number);
  const numberOf = (time) =>
    Math.round((Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) - Date.UTC(1970, 0, 1)) / DAY);
  return {
    first: (time) => onDay(numberOf(time) - (numberOf(time) % step)),
    next: (time) => onDay(numberOf(time) + step),
  };
}

function wholeMonths(step) {
  const onMonth = (number) => new Date(Math.floor(number / 12), number % 12, 1);
  const numberOf = (time) => time.getFullYear() * 12 + time.getMonth();
  return {
    first: (time) => onMonth(numberOf(time) - (numberOf(time) % step)),
    next: (time) => onMonth(numberOf(time) + step),
  };
}

function timeText(time) {
  if (time.getHours() || time.getMinutes()) return CLOCK.format(time);
  if (time.getDate() !== 1) return DATE.format(time);
  return time.getMonth() === 0 ? YEAR_NUMBER.format(time) : MONTH_NAME.format(time);
}
