// All shelves at once: the matrix as it comes from the server, what is counted in it, and the colours it is shown in.

export const NOT_CARRIED = -1;

/**
 * Read `/api/stock`: a header of four uint32, then stock and threshold of every store and product as int16, row by row.
 * It is little endian, as is every machine that runs a browser, so the arrays are views of the answer and nothing is copied.
 */
export function matrixOf(buffer) {
  const [version, stores, products] = new Uint32Array(buffer, 0, 3);
  const cells = stores * products;
  return { version, stores, products, stock: new Int16Array(buffer, 16, cells), threshold: new Int16Array(buffer, 16 + 2 * cells, cells) };
}

/** What is left of a shelf's threshold: 0 is sold out, below 1 is low. Without a threshold every unit is plenty. */
export const cover = (stock, threshold) => (threshold > 0 ? stock / threshold : stock > 0 ? FULL : 0);

/** Say where a shelf stands, as a word and as the class that colours it. */
export function standing(stock, threshold) {
  if (stock === NOT_CARRIED) return { word: "not carried", tone: "" };
  if (stock === 0) return { word: "sold out", tone: "bad" };
  return stock < threshold ? { word: "low", tone: "warn" } : { word: "well stocked", tone: "good" };
}

/** Count carried, low and sold-out shelves by store and in all; a sold-out shelf is low too, as everywhere on the page. */
export function census({ stores, products, stock, threshold }) {
  const counts = { carried: new Uint16Array(stores), low: new Uint16Array(stores), out: new Uint16Array(stores), total: { carried: 0, low: 0, out: 0 } };
  for (let store = 0, at = 0; store < stores; store += 1) {
    for (let product = 0; product < products; product += 1, at += 1) {
      if (stock[at] === NOT_CARRIED) continue;
      counts.carried[store] += 1;
      if (stock[at] < threshold[at]) counts.low[store] += 1;
      if (stock[at] === 0) counts.out[store] += 1;
    }
    for (const name of ["carried", "low", "out"]) counts.total[name] += counts[name][store];
  }
  return counts;
}

/** The emptiest of the shelves from `first` up to `end`, as places in the matrix; of equally empty ones those that sell most first. */
export function emptiest({ stock, threshold }, most, { first = 0, end = stock.length, lowOnly = false } = {}) {
  const before = (a, b) => cover(stock[a], threshold[a]) - cover(stock[b], threshold[b]) || threshold[b] - threshold[a] || a - b;
  // Of 100,000 shelves some thousands are low: to keep the few is cheaper than to sort them all.
  const found = [];
  for (let at = first; at < end; at += 1) {
    if (stock[at] === NOT_CARRIED || (lowOnly && stock[at] >= threshold[at])) continue;
    if (found.length === most && before(at, found[most - 1]) > 0) continue;
    let place = found.length === most ? most - 1 : found.length;
    for (; place > 0 && before(at, found[place - 1]) < 0; place -= 1) found[place] = found[place - 1];
    found[place] = at;
  }
  return found;
}

// The scale: sold out, low, just enough, and from FULL times the threshold on the colour stays. Above it, twice as much is always the same step.
export const FULL = 8;
const STEPS = 1024;

export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const channels = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));

const mixed = (from, to, share) => from.map((channel, at) => Math.round(channel + (to[at] - channel) * share));

/** The theme's colours of cover: a table of RGBA words for pixels, and `css` for strokes. Read anew when the theme changes. */
export function heatScale() {
  const [none, out, empty, edge, enough, full] = ["none", "out", "empty", "edge", "enough", "full"].map((name) => channels(token(`--heat-${name}`)));
  const rgb = (ratio) => {
    if (ratio <= 0) return out;
    return ratio < 1 ? mixed(empty, edge, ratio) : mixed(enough, full, Math.min(1, Math.log(ratio) / Math.log(FULL)));
  };
  const word = ([red, green, blue]) => (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
  const table = Uint32Array.from({ length: STEPS + 1 }, (_, step) => word(rgb((step / STEPS) * FULL)));
  const noneWord = word(none);
  return {
    pixel: (stock, threshold) => (stock === NOT_CARRIED ? noneWord : table[stock === 0 ? 0 : Math.max(1, Math.min(STEPS, Math.floor((cover(stock, threshold) / FULL) * STEPS)))]),
    css: (ratio) => `rgb(${rgb(ratio).join(" ")})`,
  };
}
