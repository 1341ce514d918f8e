// One shelf over time: stock against its threshold, what was sold and received, and the episodes in which it was low.
import { html, useEffect, useMemo, useRef, useState } from "/page/vendor/htm-preact.js";
import uPlot from "/page/vendor/uplot.js";
import { get, usePart } from "/page/api.js";
import { bytes, counted, duration, number, price, storeTime, time } from "/page/format.js";
import { axis, Chart, MOMENTS } from "/page/chart.js";
import { standing, token } from "/page/shelves.js";

const LEAST_PAUSE = 3_000; // milliseconds between two readings that nobody asked for
const HEIGHT = 360;
const MOST_ROWS = 200;
const SALES_HEIGHT = 4; // the highest bar takes a quarter of the chart

const seconds = (iso) => Date.parse(iso) / 1000;

/** Mix a token of the theme with nothing, for a canvas. */
const faint = (colour, alpha) => `${colour}${Math.round(alpha * 255).toString(16).padStart(2, "0")}`;

function optionsOf(episodes, received) {
  const [stock, limit, sold, came, warn] = ["--series-1", "--bad", "--series-4", "--series-3", "--warn"].map(token);
  const bands = (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = faint(warn, 0.16);
    for (const { opened_at: opened, closed_at: closed } of episodes) {
      if (!opened) continue;
      const from = plot.valToPos(seconds(opened), "x", true);
      const to = closed ? plot.valToPos(seconds(closed), "x", true) : bbox.left + bbox.width;
      ctx.fillRect(from, bbox.top, Math.max(2, to - from), bbox.height);
    }
    ctx.restore();
  };
  return {
    tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"), // the stores' own time
    cursor: { drag: { x: true, y: false } },
    scales: {
      stock: { range: (_, __, high) => [0, Math.max(4, high * 1.12)] },
      sold: { range: (_, __, high) => [0, Math.max(1, high) * SALES_HEIGHT] },
    },
    axes: [
      axis({ values: MOMENTS }),
      axis({ scale: "stock", size: 46, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] }),
    ],
    series: [
      { label: "Store time", value: (_, stamp) => (stamp === null ? "–" : storeTime(new Date(stamp * 1000).toISOString())) },
      { label: "Sold", scale: "sold", stroke: sold, fill: faint(sold, 0.55), width: 0, paths: uPlot.paths.bars({ size: [0.7, 14, 1] }), points: { show: false }, value: (_, value) => number(value) },
      { label: "Stock", scale: "stock", stroke: stock, width: 2, fill: faint(stock, 0.1), paths: uPlot.paths.stepped({ align: 1 }), points: { show: false }, value: (_, value) => number(value) },
      { label: "Threshold", scale: "stock", stroke: limit, width: 1.5, dash: [6, 5], points: { show: false }, value: (_, value) => number(value) },
      { label: "Received", scale: "stock", stroke: came, width: 0, paths: () => null, points: { show: true, size: 10, width: 2, fill: token("--surface"), stroke: came }, value: (_, __, ___, at) => (received[at] ? `+${number(received[at])}` : "–") },
    ],
    hooks: { drawClear: [bands] },
  };
}

/** Read a shelf's history again when the lake grew: by itself where that is free, else when asked, since each reading is a query that is paid for. */
function useHistory(store, product, snapshot) {
  const lake = snapshot?.versions.lake ?? 0;
  const [wanted, setWanted] = useState(lake);
  const part = usePart(`/api/shelves/${encodeURIComponent(store)}/${encodeURIComponent(product)}`, wanted, get);
  const free = snapshot?.target.name === "local";
  const newer = lake !== wanted && !part.loading;
  const latest = useRef(lake);
  latest.current = lake;
  useEffect(() => {
    if (!free || !newer) return undefined;
    const timer = setTimeout(() => setWanted(latest.current), LEAST_PAUSE);
    return () => clearTimeout(timer);
  }, [free, newer]);
  return { ...part, newer: newer && !free, again: () => setWanted(lake) };
}

function Figures({ history }) {
  const { points, threshold, episodes } = history;
  const [, stock] = points.at(-1);
  const { word, tone } = standing(stock, threshold);
  const [sold, received] = [2, 3].map((column) => points.reduce((sum, point) => sum + point[column], 0));
  const open = episodes.some(({ state }) => state === "OPEN");
  return html`<dl class="shelf-figures">
    <div><dt>On the shelf</dt><dd>${number(stock)} <span class=${`tag ${tone}`}>${word}</span></dd></div>
    <div><dt>Threshold</dt><dd>${number(threshold)}</dd></div>
    <div><dt>Sold</dt><dd>${number(sold)}</dd></div>
    <div><dt>Received</dt><dd>${number(received)}</dd></div>
    <div><dt>Low-stock episodes</dt><dd>${number(episodes.length)}${open && html` <span class="tag warn">one is open</span>`}</dd></div>
  </dl>`;
}

function Points({ points }) {
  const rows = points.slice(-MOST_ROWS).reverse();
  return html`<details><summary>The chart as a table, newest first${points.length > MOST_ROWS ? ` (${MOST_ROWS} of ${number(points.length)} events)` : ""}</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Events of the shelf"><table class="table compact">
      <thead><tr><th scope="col">Store time</th>${["Stock", "Sold", "Received"].map((name) => html`<th key=${name} scope="col" class="number">${name}</th>`)}</tr></thead>
      <tbody>${rows.map(([at, ...values]) => html`<tr key=${at}><td class="number-left">${storeTime(at)}</td>${values.map((value, column) => html`<td key=${column} class="number">${number(value)}</td>`)}</tr>`)}</tbody>
    </table></div></details>`;
}

function Episodes({ episodes, deliveries }) {
  const brought = new Map(deliveries.map((delivery) => [delivery.delivery_id, delivery]));
  if (!episodes.length) return html`<p class="empty"><strong>This shelf has not been low.</strong>An episode begins when its stock falls below the threshold.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of episodes"><table class="table compact">
    <thead><tr><th scope="col">Low since</th><th scope="col">Until</th><th scope="col" class="number">Stock then</th><th scope="col">Truck</th><th scope="col" class="number">Units</th><th scope="col">Delivery</th></tr></thead>
    <tbody>${episodes.slice(-MOST_ROWS).reverse().map(({ alert_id: id, opened_at: opened, closed_at: closed, stock, delivery }) => {
      const truck = brought.get(delivery?.delivery_id ?? id) ?? delivery;
      return html`<tr key=${id}><td>${storeTime(opened)}</td><td>${closed ? storeTime(closed) : html`<span class="tag warn">open</span>`}</td><td class="number">${number(stock)}</td>
        <td>${truck?.truck ?? "none yet"}</td><td class="number">${number(truck?.units)}</td>
        <td>${truck ? (truck.delivered_at ? `arrived ${time(truck.delivered_at)}` : truck.status === "FAILED" ? html`<span class="tag bad">failed</span>` : `left ${time(truck.dispatched_at)}`) : "–"}</td></tr>`;
    })}</tbody></table></div>`;
}

export function Shelf({ store, product, world, snapshot, theme }) {
  const { data: history, fault, loading, newer, again } = useHistory(store, product, snapshot);
  const place = world?.stores.find(({ id }) => id === store);
  const goods = world?.products.find(({ id }) => id === product);
  const received = useRef([]);
  const data = useMemo(() => {
    const points = history?.points ?? [];
    received.current = points.map((point) => point[3]);
    return [
      points.map(([at]) => seconds(at)), points.map((point) => point[2]), points.map((point) => point[1]),
      points.map(() => history.threshold), points.map((point) => (point[3] ? point[1] : null)),
    ];
  }, [history]);
  const bands = JSON.stringify(history?.episodes.map(({ opened_at, closed_at }) => [opened_at, closed_at]));
  const options = useMemo(() => history && optionsOf(history.episodes, received.current), [theme, bands, data]);
  const title = useRef(null);
  useEffect(() => { title.current.focus({ preventScroll: true }); scrollTo(0, 0); }, []);
  return html`
    <div class="heading"><div class="shelf-head">
      <a class="back" href="#/stores">← All stores</a>
      <h1 tabindex="-1" ref=${title}>${goods?.name ?? product}</h1>
      <p>${place ? `${place.name}, ${place.city}, ${place.country}` : store} <span class="small">· ${store} · ${product}${goods ? ` · ${goods.category} · € ${goods.price.toFixed(2)}` : ""}</span></p></div>
      ${newer && html`<button class="button" type="button" disabled=${loading} onClick=${again}>Newer events came: read again</button>`}
    </div>
    ${fault && html`<div class="fault" role="alert"><strong>${fault.message}</strong>${fault.next_step}</div>`}
    ${!history && !fault && html`<p class="empty" aria-busy="true">Asking Athena for the shelf's events…</p>`}
    ${history && !history.points.length && html`<div class="card empty"><strong>The lake holds no event of this shelf yet.</strong>Firehose delivers what StoreApp sends within seconds or minutes; the <a href="#/pipeline">pipeline</a> shows when.</div>`}
    ${history?.points.length > 0 && html`<div class="shelf">
      <section class="card" aria-label="The shelf over time">
        <${Figures} history=${history} />
        <${Chart} options=${options} data=${data} height=${HEIGHT} label=${`Stock of ${goods?.name ?? product} over time with its threshold, sales, receipts and low-stock episodes. The same stands in the table below.`} />
        <p class="note">Bars: units sold, on a scale of their own. Shaded: low. Drag to look closer, double-click to see all. Store time is simulated. Read from ${bytes(history.query.data_scanned_bytes)} in ${duration(history.query.milliseconds / 1000)} for ${price(history.query.price_usd)}.</p>
        <${Points} points=${history.points} />
      </section>
      <section class="card" aria-labelledby="episodes-title">
        <div class="card-head"><div><h2 id="episodes-title">Episodes and deliveries</h2><p class="note">${counted(history.episodes.length, "episode")} in store time, each with the truck it called in real time</p></div></div>
        <${Episodes} episodes=${history.episodes} deliveries=${history.deliveries} />
      </section></div>`}`;
}
