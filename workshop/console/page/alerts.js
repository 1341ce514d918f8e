// Alerts and deliveries: the low-stock episodes with the truck that each has called, and the trucks on the road.
import { html, useEffect, useState } from "/page/vendor/htm-preact.js";
import { usePart } from "/page/api.js";
import { UNKNOWN, counted, duration, isKnown, number, time } from "/page/format.js";

const MOST_ROWS = 200;
const MOST_TRUCKS = 40;
const STATES = [["OPEN", "Open"], ["CLOSED", "Closed"], ["ALL", "All"]];

const shelfPath = (store, product) => `#/stores/${encodeURIComponent(store)}/${encodeURIComponent(product)}`;

/** Count seconds while something on the page moves with the clock. */
function useNow(moving) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!moving) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [moving]);
  return now;
}

const DELIVERY = { IN_TRANSIT: ["accent", "on the road"], DELIVERED: ["good", "delivered"], FAILED: ["bad", "failed"] };

function Delivery({ delivery, state }) {
  if (!delivery) return html`<span class="soft">${state === "OPEN" ? "none yet" : "none was called"}</span>`;
  const [tone, said] = DELIVERY[delivery.status] ?? ["", delivery.status];
  return html`<span class="row tight"><span class=${`tag ${tone}`}>${said}</span>${delivery.delivered_at && html`<span class="soft number">${time(delivery.delivered_at)}</span>`}</span>
    <span class="note block">${delivery.truck}</span>
    ${delivery.reason && html`<span class="note block">${delivery.reason}</span>`}`;
}

function Level({ stock, threshold }) {
  const tone = stock === 0 ? "bad" : stock < threshold ? "warn" : "good";
  return html`<span class="number">${number(stock)} <span class="soft">of ${number(threshold)}</span></span>
    <span class=${`bar level ${tone}`}><span style=${{ width: `${threshold ? Math.min(100, (100 * stock) / threshold) : 100}%` }}></span></span>`;
}

// A cell repeats its column's name where rows are stacked, and the roles outlive the change of display.
const Cell = ({ name, children, ...rest }) => html`<td role="cell" data-label=${name} ...${rest}>${children}</td>`;

function Episode({ alert, withState }) {
  return html`<tr role="row">
    <${Cell} name="Shelf"><a href=${shelfPath(alert.store_id, alert.product_id)}>${alert.product_name ?? alert.product_id}</a>
      <span class="note block">${alert.store_name ?? alert.store_id} <span class="mono">${alert.store_id}</span></span><//>
    ${withState && html`<${Cell} name="State"><span class=${`tag ${alert.state === "OPEN" ? "warn" : "good"}`}>${alert.state === "OPEN" ? "open" : "closed"}</span><//>`}
    <${Cell} name="Stock"><${Level} stock=${alert.stock} threshold=${alert.threshold} /><//>
    <${Cell} name="Noticed"><span class="number">${time(alert.noticed_at)}</span><//>
    <${Cell} name="Low for"><span class="number">${duration(alert.age_seconds)}</span><//>
    <${Cell} name="Delivery"><${Delivery} delivery=${alert.delivery} state=${alert.state} /><//>
  </tr>`;
}

function Episodes({ version, open }) {
  const [state, setState] = useState("OPEN");
  const [wanted, setWanted] = useState("");
  const { data, fault } = usePart(`/api/alerts?state=${state}&limit=${MOST_ROWS}`, version);
  const alerts = data?.alerts ?? [];
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = alerts.filter((alert) => {
    const text = `${alert.store_id} ${alert.store_name} ${alert.product_id} ${alert.product_name} ${alert.delivery?.truck ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return html`<section class="card" aria-labelledby="episodes">
    <div class="section-head">
      <h2 id="episodes">Episodes</h2>
      <div class="row">
        <input class="input" type="search" placeholder="Store, product or truck" aria-label="Show only episodes of a store, product or truck" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
        <div class="segmented" role="group" aria-label="State">
          ${STATES.map(([value, title]) => html`<button key=${value} type="button" aria-pressed=${String(value === state)} onClick=${() => setState(value)}>${title}</button>`)}
        </div>
      </div>
    </div>
    ${fault && html`<div class="fault"><strong>${fault.message}</strong>${fault.next_step}</div>`}
    ${!data && !fault && html`<p class="empty" aria-busy="true">Reading the episodes…</p>`}
    ${data && shown.length === 0 && html`<p class="empty">${
      words.length && alerts.length ? html`<strong>None of the ${number(alerts.length)} shown matches.</strong>Clear the search to see them all.`
      : state === "OPEN" && open === 0 ? html`<strong>No shelf is low.</strong>Run StoreApp on the <a href="#/pipeline">pipeline</a>: customers empty shelves, and an episode opens when one falls below its threshold.`
      : html`<strong>No episodes here.</strong>An episode opens when a shelf falls below its threshold, and closes when a truck has filled it.`}</p>`}
    ${shown.length > 0 && html`<div class="scroll">
      <table class="table stacked" role="table" aria-labelledby="episodes">
        <thead role="rowgroup"><tr role="row">${["Shelf", state === "ALL" && "State", "Stock", "Noticed", "Low for", "Delivery"].filter(Boolean).map((name) => html`<th key=${name} role="columnheader" scope="col">${name}</th>`)}</tr></thead>
        <tbody role="rowgroup">${shown.map((alert) => html`<${Episode} key=${alert.alert_id} alert=${alert} withState=${state === "ALL"} />`)}</tbody>
      </table></div>
      <p class="note foot">${data.total > alerts.length ? `The first ${number(alerts.length)} of ${counted(data.total, "episode")}. ` : ""}“Noticed” is the clock on the wall, “low for” the stores' own time.</p>`}
  </section>`;
}

function Truck({ delivery, storeName, now }) {
  const left = Date.parse(delivery.dispatched_at);
  const gone = (now - left) / 1000;
  const arrived = delivery.status === "DELIVERED";
  const part = arrived ? 1 : Math.max(0, Math.min(1, gone / Math.max(1, delivery.expected_seconds ?? 0)));
  const remaining = (delivery.expected_seconds ?? 0) - gone;
  const [tone, said] = DELIVERY[delivery.status] ?? ["", delivery.status];
  const when = arrived ? `arrived ${time(delivery.delivered_at)}`
    : delivery.status !== "IN_TRANSIT" ? said
    : !delivery.dispatched_at ? UNKNOWN
    : remaining > 0 ? `arrives in ${duration(Math.ceil(remaining))}` : "unloading";
  return html`<li class="truck">
    <p class="truck-head"><strong>${delivery.truck}</strong><span class=${`number small ${tone === "good" ? "arrived" : "soft"}`}>${when}</span></p>
    <p class="small">${delivery.depot} → <a href=${shelfPath(delivery.store_id, delivery.product_id)}>${storeName}</a></p>
    <span class=${`bar ${tone === "accent" ? "" : tone}`}><span style=${{ width: `${part * 100}%` }}></span></span>
    <p class="note number">${counted(delivery.units, "unit")} of ${delivery.product_id}, ${number(delivery.distance_km)} km</p>
  </li>`;
}

function OnTheRoad({ version, worldVersion, deployed }) {
  const { data, fault } = usePart(deployed ? "/api/deliveries" : null, version);
  const world = usePart(worldVersion ? "/api/world" : null, worldVersion); // version 0: not read yet
  const deliveries = data?.deliveries ?? [];
  const now = useNow(deliveries.length > 0);
  const names = new Map(world.data?.stores.map(({ id, name }) => [id, name]));
  return html`<section class="card beside" aria-labelledby="road">
    <div class="section-head"><h2 id="road">On the road</h2><span class="note number">${data ? counted(deliveries.filter(({ status }) => status === "IN_TRANSIT").length, "truck") : ""}</span></div>
    ${fault && html`<div class="fault"><strong>${fault.message}</strong>${fault.next_step}</div>`}
    ${deployed && !data && !fault && html`<p class="empty" aria-busy="true">Reading the deliveries…</p>`}
    ${!deployed && html`<p class="empty"><strong>No trucks are deployed.</strong>Alerts go to the bus alone: another system may listen there.</p>`}
    ${data && deliveries.length === 0 && html`<p class="empty"><strong>No truck is on the road.</strong>One leaves as soon as an episode opens.</p>`}
    <ul class="trucks">${deliveries.slice(0, MOST_TRUCKS).map((delivery) => html`<${Truck} key=${delivery.delivery_id} delivery=${delivery} storeName=${names.get(delivery.store_id) ?? delivery.store_id} now=${now} />`)}</ul>
    ${deliveries.length > MOST_TRUCKS && html`<p class="note foot">and ${number(deliveries.length - MOST_TRUCKS)} more, all of them on the <a href="#/stores">map</a></p>`}
  </section>`;
}

export function Alerts({ snapshot }) {
  const versions = snapshot?.versions ?? {};
  const alerts = snapshot?.hops.alerts;
  return html`
    <div class="heading"><h1>Alerts and deliveries</h1><p class="number">${isKnown(alerts?.open) ? `${number(alerts.open)} open, ${number(alerts.closed)} closed` : ""}</p></div>
    <div class="episodes-and-trucks">
      <${Episodes} version=${`${versions.alerts}/${versions.deliveries}`} open=${alerts?.open} />
      <${OnTheRoad} version=${versions.deliveries} worldVersion=${versions.world} deployed=${!snapshot || snapshot.hops.trucks !== null} />
    </div>`;
}
