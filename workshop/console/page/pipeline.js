// The pipeline, live: two rows of hops joined by links on which dots run while events move, and the form that runs StoreApp.
import { html, useEffect, useLayoutEffect, useRef, useState } from "/page/vendor/htm-preact.js";
import { get, post } from "/page/api.js";
import { UNKNOWN, bytes, counted, duration, isKnown, number, perSecond, storeTime, time } from "/page/format.js";

const SAMPLES = 60; // one a second: a sparkline shows the last minute

// What a hop's sparkline follows, and what passed it in all, where that is counted; without a level it follows what passes.
const HOPS = {
  store_app: { level: (hop) => hop.per_second },
  firehose: { level: (hop) => hop.events },
  lake: { level: (hop) => hop.per_second, passed: (hop) => hop.rows },
  athena: { passed: (hop) => hop.queries },
  sightings: { level: (hop) => hop.waiting + hop.in_flight },
  alerts: { level: (hop) => hop.open, passed: (hop) => hop.open + 2 * hop.closed }, // an episode opens, and closes
  trucks: { level: (hop) => hop.on_the_road, passed: (hop) => hop.on_the_road + 2 * hop.delivered },
  shelves: { level: (hop) => hop.low },
};

const seen = {
  latest: null,
  levels: Object.fromEntries(Object.keys(HOPS).map((name) => [name, []])),
  highest: {},
  passed: {},
  flows: {},
};

/** Take note of a snapshot, so that the last minute is known whatever view was open. */
export function observe(snapshot) {
  if (seen.latest === null) setInterval(sample, 1000);
  seen.latest = snapshot;
  for (const [name, { level }] of Object.entries(HOPS)) {
    const hop = snapshot.hops[name];
    const now = hop && level ? level(hop) : null;
    if (now !== null) seen.highest[name] = Math.max(seen.highest[name] ?? 0, now);
  }
}

/** Close a second: its highest level joins the sparkline, and what passed in it is the flow. */
function sample() {
  for (const [name, { level, passed }] of Object.entries(HOPS)) {
    const hop = seen.latest.hops[name];
    const now = hop && passed ? passed(hop) : null;
    const passedNow = now === null ? 0 : Math.max(0, now - (seen.passed[name] ?? now));
    seen.passed[name] = now;
    seen.flows[name] = passedNow || Math.floor(seen.flows[name] / 2 || 0); // ebbs, or short bursts could not be seen
    const levels = seen.levels[name];
    levels.push(level ? seen.highest[name] ?? (hop && level(hop)) : passedNow);
    if (levels.length > SAMPLES) levels.shift();
    delete seen.highest[name];
  }
  dispatchEvent(new Event("sampled"));
}

function useSamples() {
  const [, tick] = useState(0);
  useEffect(() => {
    const follow = () => tick((n) => n + 1);
    addEventListener("sampled", follow);
    return () => removeEventListener("sampled", follow);
  }, []);
}

function Sparkline({ name, said }) {
  const levels = seen.levels[name];
  const top = 1.15 * Math.max(1, ...levels);
  const x = (index) => ((SAMPLES - levels.length + index) / (SAMPLES - 1)) * 100;
  const y = (level) => 27 - (level / top) * 24;
  const line = levels.map((level, index) => `${index ? "L" : "M"}${x(index).toFixed(2)} ${y(level ?? 0).toFixed(2)}`).join("");
  return html`<svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label=${`${said} over the last minute, at most ${number(Math.max(0, ...levels))}`}>
    <path class="spark-base" d="M0 27.500H100" />
    ${levels.length > 1 && levels.some(isKnown) && html`<path class="spark-area" d=${`${line}L100 28L${x(0).toFixed(2)} 28Z`} /><path class="spark-line" d=${line} />`}
  </svg>`;
}

const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd class="number">${children}</dd></div>`;

function Hop({ name, title, service, value, unit, said, follows, alarmed, missing, troubles = [], children }) {
  return html`<li class=${`hop card ${alarmed ? "alarmed" : ""} ${missing ? "missing" : ""}`} data-hop=${name}>
    <div class="hop-head"><h2>${title}</h2><span class="note">${service}</span></div>
    <p class="hop-value"><span class="number">${value}</span> <span class="soft">${unit}</span></p>
    <${Sparkline} name=${name} said=${said} />
    <dl class="facts">${children}</dl>
    ${troubles.length > 0 && html`<div class="troubles">${troubles}</div>`}
    <span class="visually-hidden">${follows}</span>
  </li>`;
}

/** How far the next delivery is: what was seen of earlier ones tells, so it is a guess and says "about". */
function NextDelivery({ firehose }) {
  const { next_delivery_seconds: next, oldest_seconds: oldest, typical_seconds: typical } = firehose;
  if (!isKnown(next)) return !isKnown(typical) ? UNKNOWN : html`none due <span class="soft">(about ${duration(typical)})</span>`;
  const passed = Math.min(1, (oldest ?? 0) / Math.max(0.001, (oldest ?? 0) + next));
  return html`${next > 0 ? `in about ${duration(Math.ceil(next))}` : "any moment"}<span class="bar next"><span style=${{ width: `${passed * 100}%` }}></span></span>`;
}

const Trouble = ({ count, noun, onOpen }) => html`<button class="button danger" type="button" onClick=${onOpen}>${counted(count, noun)}</button>`;

// Where a queue's dead letters stand: at the hop that could not handle them.
const HANDLERS = { sightings: "sightings", truck_bus: "alerts", truck_calls: "trucks" };

function troublesOf(snapshot, open) {
  const found = {};
  const add = (hop, trouble) => { (found[hop] ??= []).push(trouble); };
  for (const [kind, noun] of [["quarantine", "refused object"], ["errors", "failed object"]]) {
    const { objects } = snapshot[kind] ?? {};
    if (objects) add("firehose", html`<${Trouble} key=${kind} count=${objects} noun=${noun} onOpen=${() => open({ kind })} />`);
  }
  for (const [queue, letters] of Object.entries(snapshot.dead_letters ?? {})) {
    if (letters) add(HANDLERS[queue] ?? "trucks", html`<${Trouble} key=${queue} count=${letters} noun="dead letter" onOpen=${() => open({ kind: "letters", queue })} />`);
  }
  return found;
}

/** Say in one sentence where the events are. */
function summary(hops) {
  const { events: sent } = hops.store_app ?? {};
  const { events: underway } = hops.firehose ?? {};
  if (!isKnown(sent)) return "Reading the stores' books…";
  if (sent === 0) return "No store has traded yet: run StoreApp to send the first events.";
  if (underway) return `${number(underway)} of ${number(sent)} events are on their way to the lake.`;
  return underway === 0 ? `All ${number(sent)} events sent are in the lake.` : `${number(sent)} events were sent.`;
}

const loading = { events: null };

function Flow({ snapshot, open }) {
  const flow = useRef(null);
  useSamples();
  const { hops } = snapshot;
  const troubles = troublesOf(snapshot, open);
  const { store_app: app = loading, firehose = loading, lake = loading, athena = loading, sightings = loading, alerts = loading, shelves = loading } =
    Object.fromEntries(Object.entries(hops).map(([name, hop]) => [name, hop ?? loading]));
  const { trucks } = hops;
  return html`<div class="flow" ref=${flow}>
    <${Links} flow=${flow} hops=${hops} />
    <ol class="hops">
      <${Hop} name="store_app" title="StoreApp" service="Lambda" value=${number(app.events)} unit="events sent" said="Events a second" follows="Its events go to Firehose." troubles=${troubles.store_app}>
        <${Fact} name="Rate">${perSecond(app.per_second)}<//>
        <${Fact} name="Stores">${number(app.stores)}<//>
        <${Fact} name="Their clock">${storeTime(app.clock)}<//>
      <//>
      <${Hop} name="firehose" title="Firehose" service="Data Firehose" value=${number(firehose.events)} unit="on the way" said="Events on the way" alarmed=${troubles.firehose}
        follows="It delivers to the lake, and its intake sends low shelves to the sightings." troubles=${troubles.firehose}>
        <${Fact} name="Next delivery"><${NextDelivery} firehose=${firehose} /><//>
        <${Fact} name="Oldest">${duration(firehose.oldest_seconds)}<//>
        <${Fact} name="Buffers">${firehose.hints ? `${duration(firehose.hints.seconds)} or ${firehose.hints.mebibytes} MiB` : UNKNOWN}<//>
      <//>
      <${Hop} name="lake" title="Lake" service="S3, Parquet" value=${number(lake.rows)} unit="rows" said="Rows a second" follows="Athena reads it.">
        <${Fact} name="Rate">${perSecond(lake.per_second)}<//>
        <${Fact} name="Objects">${number(lake.objects)}${isKnown(lake.partitions) && html` <span class="soft">in ${counted(lake.partitions, "day")}</span>`}<//>
        <${Fact} name="Size">${bytes(lake.bytes)}<//>
      <//>
      <${Hop} name="athena" title="Athena" service="SQL on the lake" value=${number(athena.queries)} unit=${athena.queries === 1 ? "query" : "queries"} said="Queries a second" follows="">
        <${Fact} name="Scanned">${bytes(athena.bytes_scanned)}<//>
        <${Fact} name="Latest">${athena.latest ? `${athena.latest.state === "SUCCEEDED" ? "" : `${athena.latest.state.toLowerCase()}, `}${duration(athena.latest.milliseconds / 1000)}` : UNKNOWN}<//>
        <${Fact} name="It scanned">${bytes(athena.latest?.bytes)}<//>
      <//>
      <${Hop} name="sightings" title="Sightings" service="SQS" value=${number(sightings.waiting)} unit="waiting" said="Sightings waiting or in work" alarmed=${troubles.sightings}
        follows="They become alerts." troubles=${troubles.sightings}>
        <${Fact} name="In flight">${number(sightings.in_flight)}<//>
      <//>
      <${Hop} name="alerts" title="Alerts" service="Lambda, DynamoDB" value=${number(alerts.open)} unit="open" said="Open alerts" follows="Each calls one truck." troubles=${troubles.alerts} alarmed=${troubles.alerts}>
        <${Fact} name="Closed">${number(alerts.closed)}<//>
        <${Fact} name="Rate">${perSecond(alerts.per_second)}<//>
      <//>
      ${trucks === null
        ? html`<${Hop} name="trucks" title="Trucks" service="Step Functions" value=${UNKNOWN} unit="not deployed" said="Trucks" missing=${true} follows="" troubles=${troubles.trucks} />`
        : html`<${Hop} name="trucks" title="Trucks" service="Step Functions" value=${number(trucks.on_the_road)} unit="on the road" said="Trucks on the road" alarmed=${trucks.failed || troubles.trucks}
            follows="They fill the shelves." troubles=${troubles.trucks}>
          <${Fact} name="Delivered">${number(trucks.delivered)}<//>
          <${Fact} name="Calls waiting">${number(trucks.waiting_calls)}<//>
          <${Fact} name="Failed">${trucks.failed ? html`<a class="failed" href="#/alerts">${number(trucks.failed)}</a>` : number(trucks.failed)}<//>
        <//>`}
      <${Hop} name="shelves" title="Shelves" service="DynamoDB" value=${number(shelves.low)} unit="low" said="Low shelves" follows="The stores sell from them." troubles=${troubles.shelves} alarmed=${troubles.shelves}>
        <${Fact} name="Empty">${number(shelves.out)}${isKnown(shelves.total) && html` <span class="soft">of ${number(shelves.total)}</span>`}<//>
        <${Fact} name="Receipts due">${number(shelves.receipts)}<//>
      <//>
    </ol>
  </div>`;
}

// Which hops are joined, by which sides in each of the three layouts, and how much moves between them now.
const LINKS = [
  { from: "store_app", to: "firehose", sides: ["RL", "BT", "BT"], moves: ({ hops }) => hops.store_app?.per_second ?? 0 },
  { from: "firehose", to: "lake", sides: ["RL", "BT", "BT"], moves: ({ flows, hops }) => flows.lake || (hops.lake?.per_second ?? 0) },
  { from: "lake", to: "athena", sides: ["RL", "BT", "BT"], moves: ({ flows }) => flows.athena },
  { from: "firehose", to: "sightings", sides: ["BT", "RL", "LL"], moves: ({ hops }) => (hops.sightings?.waiting ?? 0) + (hops.sightings?.in_flight ?? 0) },
  { from: "sightings", to: "alerts", sides: ["RL", "BT", "BT"], moves: ({ flows }) => flows.alerts },
  { from: "alerts", to: "trucks", sides: ["RL", "BT", "BT"], moves: ({ flows, hops }) => flows.trucks + (hops.trucks?.waiting_calls ?? 0) },
  { from: "trucks", to: "shelves", sides: ["BB", "BT", "BT"], moves: ({ flows, hops }) => hops.trucks?.on_the_road || flows.trucks },
  { from: "shelves", to: "store_app", sides: ["TB", "LR", "RR"], moves: ({ hops }) => hops.store_app?.per_second ?? 0 },
];

const LAYOUTS = ["wide", "paired", "narrow"];
const CORNER = 12;

/** Return the point in the middle of a box's side, and the way out of it. */
function port(box, side) {
  const [middleX, middleY] = [box.left + box.width / 2, box.top + box.height / 2];
  return {
    L: { x: box.left, y: middleY, dx: -1, dy: 0 }, R: { x: box.left + box.width, y: middleY, dx: 1, dy: 0 },
    T: { x: middleX, y: box.top, dx: 0, dy: -1 }, B: { x: middleX, y: box.top + box.height, dx: 0, dy: 1 },
  }[side];
}

/** Route a link: straight where it can be, else over two bends; around the outside when it leaves and enters by the same side. */
function routed(a, b, reach) {
  if (a.dx && b.dx) {
    const x = a.dx === b.dx ? (a.dx > 0 ? Math.max(a.x, b.x) : Math.min(a.x, b.x)) + a.dx * reach : (a.x + b.x) / 2;
    return [a, { x, y: a.y }, { x, y: b.y }, b];
  }
  const y = a.dy === b.dy ? (a.dy > 0 ? Math.max(a.y, b.y) : Math.min(a.y, b.y)) + a.dy * reach : (a.y + b.y) / 2;
  return [a, { x: a.x, y }, { x: b.x, y }, b];
}

/** Write a line through points as an SVG path with rounded corners. */
function rounded(points) {
  const said = ({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  let path = `M${said(points[0])}`;
  for (let i = 1; i < points.length - 1; i += 1) {
    const [before, corner, after] = points.slice(i - 1, i + 2);
    const towards = (end) => {
      const length = Math.hypot(end.x - corner.x, end.y - corner.y) || 1;
      const cut = Math.min(CORNER, length / 2);
      return { x: corner.x + ((end.x - corner.x) / length) * cut, y: corner.y + ((end.y - corner.y) / length) * cut };
    };
    path += `L${said(towards(before))}Q${said(corner)} ${said(towards(after))}`;
  }
  return `${path}L${said(points.at(-1))}`;
}

function measured(flow) {
  const frame = flow.getBoundingClientRect();
  const layout = LAYOUTS.indexOf(getComputedStyle(flow).getPropertyValue("--layout").trim());
  const box = (name) => {
    const { left, top, width, height } = flow.querySelector(`[data-hop="${name}"]`).getBoundingClientRect();
    return { left: left - frame.left, top: top - frame.top, width, height };
  };
  const paths = LINKS.map(({ from, to, sides }) => {
    const [out, into] = sides[layout];
    const [a, b] = [port(box(from), out), port(box(to), into)];
    // In pairs two links share the gap between the columns: each keeps to its own third of it.
    if (layout === 1 && out !== "B") { const third = from === "firehose" ? 7 : -7; return rounded(routed(a, b, 0).map((point, i) => (i === 1 || i === 2 ? { ...point, x: point.x + third } : point))); }
    return rounded(routed(a, b, layout === 0 ? 22 : 10));
  });
  return { width: frame.width, height: frame.height, paths };
}

function Links({ flow, hops }) {
  const [drawn, setDrawn] = useState(null);
  useLayoutEffect(() => {
    const draw = () => setDrawn((before) => {
      const now = measured(flow.current);
      return before && JSON.stringify(before) === JSON.stringify(now) ? before : now;
    });
    const observer = new ResizeObserver(draw);
    observer.observe(flow.current);
    for (const hop of flow.current.querySelectorAll("[data-hop]")) observer.observe(hop);
    return () => observer.disconnect();
  }, []);
  if (!drawn) return null;
  return html`<svg class="links" width=${drawn.width} height=${drawn.height} aria-hidden="true">
    <defs><marker id="arrow" viewBox="0 0 8 8" refX="6.500" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M1.500 1L6.500 4L1.500 7" /></marker></defs>
    ${LINKS.map(({ from, to, moves }, index) => {
      const moving = moves({ flows: seen.flows, hops });
      const strength = Math.min(1, Math.log10(1 + moving) / 4);
      return html`<g key=${`${from}-${to}`} class=${moving > 0 ? "moving" : ""}>
        <path class="link" d=${drawn.paths[index]} marker-end="url(#arrow)" />
        <path class="dots" d=${drawn.paths[index]} style=${{ strokeWidth: `${3.5 + strength * 3.5}px` }} />
      </g>`;
    })}
  </svg>`;
}

const LIMITS = { hours: [1, 720], stores: [1, 1000], products: [1, 500] };

function Runner({ run, announce }) {
  const [form, setForm] = useState({ hours: 24, stores: 10, products: 50 });
  const [fault, setFault] = useState(null);
  const [sending, setSending] = useState(false);
  const busy = run.state === "running" || run.state === "stopping";
  const send = async (path, body) => {
    setSending(true);
    setFault(null);
    try { await post(path, body); } catch (refused) { setFault(refused); announce(refused.message); }
    setSending(false);
  };
  const onSubmit = (event) => { event.preventDefault(); send("/api/runs", form); };
  const field = (name, title) => html`<label class="field">${title}
    <input class="number" type="number" inputmode="numeric" required min=${LIMITS[name][0]} max=${LIMITS[name][1]} disabled=${busy} value=${busy ? run[name] ?? form[name] : form[name]}
      onInput=${(event) => setForm({ ...form, [name]: event.target.valueAsNumber })} /></label>`;
  const shown = fault ?? run.problem;
  return html`<form class="runner card" onSubmit=${onSubmit} aria-labelledby="runner">
    <div class="runner-ask">
      <h2 id="runner">Run StoreApp</h2>
      ${field("hours", "Hours")}${field("stores", "Stores")}${field("products", "Products")}
      ${busy
        ? html`<button class="button" type="button" disabled=${sending || run.state === "stopping"} onClick=${() => send("/api/runs/stop")}>${run.state === "stopping" ? "Stopping…" : "Stop"}</button>`
        : html`<button class="button primary" disabled=${sending}>Run</button>`}
    </div>
    <div class="runner-answer">
      ${busy && html`<div class="row"><progress max="1" value=${run.progress} aria-label="Progress of the run"></progress><span class="number">${Math.round(run.progress * 100)} %</span></div>`}
      ${!busy && run.summary && html`<p><strong>${run.state === "stopped" ? "Stopped" : "Done"} in ${duration(run.summary.milliseconds / 1000)}.</strong>
        <span class="soft"> ${counted(run.summary.events, "event")} of ${counted(run.summary.stores, "store")}, ${storeTime(run.summary.from)} to ${storeTime(run.summary.to)}:
        ${" "}${counted(run.summary.units_sold, "unit")} sold, ${number(run.summary.units_received)}\u00a0received.</span></p>`}
      ${!busy && !run.summary && !shown && html`<p class="soft">The stores trade these simulated hours as fast as they can, and go on from where they stopped.</p>`}
      ${shown && html`<div class="fault"><strong>${shown.message}</strong>${shown.next_step}</div>`}
    </div>
  </form>`;
}

const WITHIN = {
  quarantine: { title: "Refused documents", path: "/api/quarantine", next: "Correct what sends them, then put them back:", command: "python3 -m workshop replay --quarantine" },
  errors: { title: "What Firehose failed on", path: "/api/errors", next: "Put back what is good by now:", command: "python3 -m workshop replay --errors" },
};

/** What is in a dead-letter queue, the quarantine or the error prefix: a dialog that fetches it when it opens. */
function Troubled({ trouble, onClose }) {
  const dialog = useRef(null);
  const [found, setFound] = useState(null);
  const [fault, setFault] = useState(null);
  const { kind, queue } = trouble;
  const { title, next, command } = WITHIN[kind] ?? { title: `Dead letters: ${queue.replaceAll("_", " ")}`, next: "Repair what failed, then put them back:", command: `python3 -m workshop redrive ${queue}` };
  useEffect(() => {
    dialog.current.showModal();
    const asked = kind === "letters" ? post(`/api/dead-letters/${encodeURIComponent(queue)}`) : get(WITHIN[kind].path);
    asked.then((answer) => setFound(answer.letters ?? answer.documents), setFault);
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="troubled" onClose=${onClose} onClick=${(event) => { if (event.target === dialog.current) dialog.current.close(); }}>
    <div class="dialog-head"><h2 id="troubled">${title}</h2><button class="button quiet" type="button" onClick=${() => dialog.current.close()}>Close</button></div>
    <div class="dialog-body" tabindex="0" role="region" aria-label=${title}>
      <p class="note">${next} <code>${command} --dry-run</code></p>
      ${fault && html`<div class="fault"><strong>${fault.message}</strong>${fault.next_step}</div>`}
      ${!found && !fault && html`<p class="empty" aria-busy="true">Looking…</p>`}
      ${found?.length === 0 && html`<p class="empty"><strong>Nothing is in there now.</strong>It was put back, or somebody else is looking at it.</p>`}
      ${found?.map((each, index) => html`<article class="letter" key=${each.message_id ?? index}>
        <p><strong>${each.reason ?? "No reason was given."}</strong></p>
        <p class="note">${[each.field && `field ${each.field}`, each.record_id && `record ${each.record_id}`, each.message_id && `message ${each.message_id}`, each.received_at && `received ${time(each.received_at)}`].filter(Boolean).join(" · ")}</p>
        <pre tabindex="0" role="region" aria-label=${`Document ${index + 1}`}>${pretty(each.body ?? each.document)}</pre>
      </article>`)}
    </div>
  </dialog>`;
}

/** Indent what is JSON; the rest stays as it came. */
function pretty(text) {
  if (text === null || text === undefined) return "Its bytes are no text.";
  if (typeof text !== "string") return JSON.stringify(text, null, 2);
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

export function Pipeline({ snapshot, announce }) {
  const [trouble, setTrouble] = useState(null);
  if (!snapshot) return html`<div class="heading"><h1>Pipeline</h1></div><p class="empty" aria-busy="true">Waiting for the first numbers…</p>`;
  return html`
    <div class="heading"><h1>Pipeline</h1><p class="number">${summary(snapshot.hops)}</p></div>
    <div class="stack">
      <${Runner} run=${snapshot.run} announce=${announce} />
      <${Flow} snapshot=${snapshot} open=${setTrouble} />
    </div>
    ${trouble && html`<${Troubled} key=${JSON.stringify(trouble)} trouble=${trouble} onClose=${() => setTrouble(null)} />`}`;
}
