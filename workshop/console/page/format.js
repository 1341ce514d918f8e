// How numbers, times and amounts are written on the page. What is not known is a dash, never a zero.

export const UNKNOWN = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const storeClock = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});

export const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);

const known = (value, write) => (isKnown(value) ? write(value) : UNKNOWN);

/** A count: 12,345. */
export const number = (value) => known(value, (n) => whole.format(n));

/** A rate, with a fraction only where it says something: 0.4 /s, 12 /s, 1,250 /s. */
export const perSecond = (value) => known(value, (n) => `${(n && n < 10 ? tenths : whole).format(n)} /s`);

/** A count with its noun: 1 store, 2 stores. */
export const counted = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** A share of one as a percentage: 7.5 %. */
export const share = (value) => known(value, (n) => `${tenths.format(n * 100)} %`);

/** An amount of bytes in binary units: 812 B, 1.4 MiB. */
export const bytes = (value) => known(value, (n) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = n;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) { size /= 1024; unit += 1; }
  return `${(size < 100 && unit ? tenths : whole).format(size)} ${units[unit]}`;
});

/** A span of seconds: 40 ms, 2.5 s, 3 min 20 s, 5 h 12 min, 2 d 4 h. */
export const duration = (seconds) => known(seconds, (s) => {
  if (s < 0) return `−${duration(-s)}`;
  if (s === 0) return "0 s";
  if (s < 1) return `${whole.format(s * 1000)} ms`;
  if (s < 10) return `${tenths.format(s)} s`;
  const rounded = Math.round(s);
  if (rounded < 60) return `${rounded} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => rounded >= size);
  const [[major, majorUnit], minor] = [parts[first], parts[first + 1]];
  const rest = minor ? Math.floor((rounded % major) / minor[0]) : 0;
  return `${Math.floor(rounded / major)} ${majorUnit}${rest ? ` ${rest} ${minor[1]}` : ""}`;
});

/** A price in US dollars, with as many digits as a small one needs: $0.00005, $1.20. */
export const price = (usd) => known(usd, (n) => {
  if (n === 0) return "$0";
  const digits = n >= 1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(n)));
  return `$${n.toFixed(Math.max(2, digits))}`;
});

/** A moment of today's clock, in the reader's time zone: 14:03:07; with its day when that is another: 20 Nov 14:03:07. */
export const time = (iso, now = new Date()) => known(iso, (text) => {
  const moment = new Date(text);
  return moment.toDateString() === now.toDateString() ? clock.format(moment) : `${day.format(moment)} ${clock.format(moment)}`;
});

/** A moment of the stores' own, simulated time, which is UTC: Fri 20 Nov, 12:00. */
export const storeTime = (iso) => known(iso, (text) => storeClock.format(new Date(text)));
