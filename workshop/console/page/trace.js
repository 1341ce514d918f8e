// Trace: choose an event, and see when it passed each hop and where it waited.
import { html, useEffect, useRef, useState } from "/page/vendor/htm-preact.js";
import { usePart } from "/page/api.js";
import { bytes, duration, isKnown, number, price, storeTime, time } from "/page/format.js";

const KINDS = [["latest", "Latest"], ["low", "Low"], ["received", "Received"]];

// What a hop is called on the page, and what it means that an event has passed it.
const HOPS = {
  produced: ["Produced", "StoreApp simulated the tick and wrote the event."],
  accepted: ["Accepted", "Firehose took the record that carries it."],
  object: ["Object", "Firehose wrote the Parquet object into the lake."],
  row: ["Row", "Athena finds it as a row of the table."],
  quarantined: ["Quarantined", "The intake refused it and kept it with its reason."],
  failed: ["Failed", "Firehose could not process its batch."],
  sighting: ["Sighting", "The intake sent word of the low shelf."],
  alert: ["Alert", "An episode opened, once."],
  truck: ["Truck", "The delivery workflow sent a truck."],
  unloaded: ["Unloaded", "The truck arrived."],
  shelf: ["Shelf", "The store put the units on its shelf."],
  closed: ["Closed", "The shelf is back at its threshold: the episode is over."],
};

const tracePath = (id) => `#/trace/${encodeURIComponent(id)}`;

/** Place each hop on one axis from the first known time to the last, in percent; what has no time has no place. */
function placed(hops) {
  const times = hops.map(({ at }) => (at ? Date.parse(at) : null));
  const known = times.filter((at) => at !== null);
  const [begin, end] = [Math.min(...known), Math.max(...known)];
  const percent = (at) => (end > begin ? ((at - begin) / (end - begin)) * 100 : 0);
  let before = null;
  return hops.map((hop, index) => {
    const at = times[index];
    const from = before ?? at;
    before = at ?? before;
    return at === null ? { hop } : { hop, from: percent(from), to: percent(at) };
  });
}

function Hop({ hop, from, to }) {
  const [title, meaning] = HOPS[hop.hop] ?? [hop.hop, ""];
  const bad = hop.hop === "quarantined" || hop.hop === "failed";
  return html`<li class=${`passed ${bad ? "bad" : ""}`}>
    <div class="passed-name"><h3>${title}</h3><p class="note">${meaning}</p></div>
    <div class="passed-when number"><strong>${hop.at ? time(hop.at) : "no time is kept"}</strong>
      ${isKnown(hop.seconds_since_previous) && html`<span class="soft">${hop.seconds_since_previous === 0 ? "at once" : `after ${duration(hop.seconds_since_previous)}`}</span>`}</div>
    <div class="passed-where">
      <span class="way" aria-hidden="true">${to !== undefined && html`<span class="way-wait" style=${{ left: `${from}%`, width: `${to - from}%` }}></span><span class="way-at" style=${{ left: `${to}%` }}></span>`}</span>
      <code class="note">${hop.where}</code>${hop.note && html`<p class="small">${hop.note}</p>`}
    </div>
  </li>`;
}

function Way({ trace }) {
  const known = trace.hops.filter(({ at }) => at);
  const total = known.length > 1 ? (Date.parse(known.at(-1).at) - Date.parse(known[0].at)) / 1000 : null;
  return html`
    <p class="soft">${total === null ? "" : html`<strong class="ink">${duration(total)}</strong> from ${HOPS[known[0].hop]?.[0].toLowerCase()} to ${HOPS[known.at(-1).hop]?.[0].toLowerCase()}. `}${trace.missing.length ? "" : "Every hop that is due was seen."}</p>
    <ol class="way-list">
      ${placed(trace.hops).map((each, index) => html`<${Hop} key=${index} ...${each} />`)}
      ${trace.missing.map((name) => html`<li class="passed due" key=${name}>
        <div class="passed-name"><h3>${HOPS[name]?.[0] ?? name}</h3><p class="note">${HOPS[name]?.[1]}</p></div>
        <div class="passed-when soft">due, not seen yet</div><div class="passed-where"></div></li>`)}
    </ol>`;
}

function Traced({ id }) {
  const [asked, setAsked] = useState(0);
  const { data, fault, loading } = usePart(`/api/traces/${encodeURIComponent(id)}`, asked);
  const heading = useRef(null);
  useEffect(() => {
    heading.current.focus({ preventScroll: true });
    heading.current.scrollIntoView({ block: "nearest" });
  }, [id]);
  return html`<section class="card stack" aria-labelledby="traced">
    <div class="section-head"><h2 id="traced" tabindex="-1" ref=${heading}><span class="mono">${id}</span></h2>
      <div class="row"><button class="button" type="button" disabled=${loading} onClick=${() => setAsked(asked + 1)}>${loading ? "Looking…" : "Look again"}</button><a class="button quiet" href="#/trace">Close</a></div></div>
    ${fault && html`<div class="fault" role="alert"><strong>${fault.message}</strong>${fault.next_step}</div>`}
    ${!data && !fault && html`<p class="empty" aria-busy="true">Asking Athena, S3 and DynamoDB…</p>`}
    ${data && html`<${Way} trace=${data} />`}
  </section>`;
}

const Change = ({ event }) => html`
  ${event.units_sold > 0 && html`<span>−${number(event.units_sold)}</span>`}
  ${event.units_sold > 0 && event.units_received > 0 && " "}
  ${event.units_received > 0 && html`<span class="received">+${number(event.units_received)}</span>`}`;

const Cell = ({ name, children, ...rest }) => html`<td role="cell" data-label=${name} ...${rest}>${children}</td>`;

function Recent({ traced }) {
  const [kind, setKind] = useState("latest");
  const [asked, setAsked] = useState(0);
  const { data, fault, loading } = usePart(`/api/recent?kind=${kind}`, asked);
  const events = data?.events ?? [];
  return html`<section class="card" aria-labelledby="recent">
    <div class="section-head"><h2 id="recent">Events in the lake</h2>
      <div class="row">
        <div class="segmented" role="group" aria-label="Which events">${KINDS.map(([value, title]) => html`<button key=${value} type="button" aria-pressed=${String(value === kind)} onClick=${() => setKind(value)}>${title}</button>`)}</div>
        <button class="button" type="button" disabled=${loading} onClick=${() => setAsked(asked + 1)}>${loading ? "Reading…" : "Refresh"}</button>
      </div></div>
    ${fault && html`<div class="fault"><strong>${fault.message}</strong>${fault.next_step}</div>`}
    ${!data && !fault && html`<p class="empty" aria-busy="true">Asking Athena…</p>`}
    ${data && events.length === 0 && html`<p class="empty"><strong>No such events are in the lake.</strong>Run StoreApp on the <a href="#/pipeline">pipeline</a>, wait for the delivery, and refresh.</p>`}
    ${events.length > 0 && html`<div class="scroll"><table class="table stacked" role="table" aria-labelledby="recent">
      <thead role="rowgroup"><tr role="row">${["Event", "Shelf", "Store's time", "Stock", "Change", "Accepted"].map((name) => html`<th key=${name} role="columnheader" scope="col">${name}</th>`)}</tr></thead>
      <tbody role="rowgroup">${events.map((event) => html`<tr key=${event.event_id} role="row" class=${event.event_id === traced ? "chosen" : ""}>
        <${Cell} name="Event"><a class="mono" href=${tracePath(event.event_id)} aria-current=${event.event_id === traced ? "true" : undefined}>${event.event_id}</a><//>
        <${Cell} name="Shelf">${event.product_name}<span class="note block">${event.store_name}</span><//>
        <${Cell} name="Store's time"><span class="number">${storeTime(event.event_time)}</span><//>
        <${Cell} name="Stock"><span class=${`number ${event.stock < event.threshold ? "low" : ""}`}>${number(event.stock)} <span class="soft">of ${number(event.threshold)}</span></span><//>
        <${Cell} name="Change"><span class="number"><${Change} event=${event} /></span><//>
        <${Cell} name="Accepted"><span class="number">${time(event.received_at)}</span><//>
      </tr>`)}</tbody></table></div>
      <p class="note foot number">${data.query && `Athena took ${duration(data.query.milliseconds / 1000)} and scanned ${bytes(data.query.data_scanned_bytes)}: ${price(data.query.price_usd)} on AWS.`}</p>`}
  </section>`;
}

function Finder() {
  const [id, setId] = useState("");
  const onSubmit = (event) => {
    event.preventDefault();
    location.hash = tracePath(id.trim().toUpperCase());
    setId("");
  };
  return html`<form class="row" onSubmit=${onSubmit}>
    <label class="visually-hidden" for="event-id">Event id</label>
    <input class="input mono" id="event-id" required spellcheck="false" autocomplete="off" placeholder="S00001-P0001-96" value=${id} onInput=${(event) => setId(event.target.value)} />
    <button class="button primary">Trace</button>
  </form>`;
}

export function Trace({ route }) {
  const [id] = route.parts;
  return html`
    <div class="heading"><div><h1>Trace</h1><p>Follow one event through every hop, from the store to the shelf.</p></div><${Finder} /></div>
    <div class="stack">
      ${id && html`<${Traced} key=${id} id=${id} />`}
      <${Recent} traced=${id} />
    </div>`;
}
