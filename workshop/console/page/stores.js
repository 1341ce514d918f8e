// The stores: a map with trucks, a heat map of all shelves, the emptiest of them, and one store's or one shelf's own page.
import { html, useEffect, useMemo, useRef, useState } from "/page/vendor/htm-preact.js";
import { get, getBytes, usePart } from "/page/api.js";
import { counted, duration, number, share } from "/page/format.js";
import { HeatMap, shelfLink } from "/page/heatmap.js";
import { StoreMap } from "/page/map.js";
import { Shelf } from "/page/shelf.js";
import { census, cover, emptiest, matrixOf, standing } from "/page/shelves.js";

const SUGGESTIONS = 8;
const EMPTIEST = 20;
const MOST_ROWS = 200;
const NOTHING = [];

const countryName = new Intl.DisplayNames("en", { type: "region" });

/** Find a store by id, name or city: a combobox after the pattern of the ARIA Authoring Practices Guide. */
function Search({ stores, onChoose }) {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const found = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return NOTHING;
    const hits = [];
    for (let index = 0; index < stores.length && hits.length < SUGGESTIONS; index += 1) {
      const { id, name, city } = stores[index];
      if (`${id} ${name} ${city}`.toLowerCase().includes(wanted)) hits.push(index);
    }
    return hits;
  }, [text, stores]);
  const shown = open && text.trim() !== "";
  const choose = (index) => { onChoose(index); setText(""); setOpen(false); };
  const onKeyDown = (event) => {
    if (event.key === "Escape") { setOpen(false); setText(""); }
    if (event.key === "Enter" && found.length) { event.preventDefault(); choose(found[Math.min(active, found.length - 1)]); }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) { event.preventDefault(); setOpen(true); setActive((active + step + found.length) % found.length); }
  };
  return html`<div class="search">
    <label class="visually-hidden" for="store-search">Find a store</label>
    <input id="store-search" class="input" type="text" placeholder="Find a store: name, city or number" autocomplete="off" spellcheck=${false} role="combobox" aria-autocomplete="list"
      aria-expanded=${String(shown && found.length > 0)} aria-controls="store-found" aria-activedescendant=${shown && found.length ? `store-found-${active}` : undefined}
      value=${text} onInput=${(event) => { setText(event.target.value); setActive(0); setOpen(true); }} onKeyDown=${onKeyDown} onBlur=${() => setOpen(false)} />
    <ul id="store-found" role="listbox" aria-label="Stores found" hidden=${!shown || !found.length}>
      ${found.map((index, at) => html`<li key=${stores[index].id} id=${`store-found-${at}`} role="option" aria-selected=${String(at === active)}
        onPointerDown=${(event) => { event.preventDefault(); choose(index); }}><b>${stores[index].name}</b><span class="soft small">${stores[index].city}, ${stores[index].country} · ${stores[index].id}</span></li>`)}
    </ul>
    ${shown && !found.length && html`<p class="search-none">No store is called that.</p>`}
  </div>`;
}

function Level({ stock, threshold }) {
  const { word, tone } = standing(stock, threshold);
  return html`<div class="level"><span class="number">${number(stock)} <span class="soft">/ ${number(threshold)}</span></span>
    <div class=${`bar ${tone}`}><span style=${{ width: `${Math.min(100, cover(stock, threshold) * 50)}%` }}></span><i></i></div><span class="visually-hidden">${word}</span></div>`;
}

/** A list of places in the matrix that stands still while the pointer or the focus is in it: nobody can click on what runs away. */
function useHeld(list) {
  const [held, setHeld] = useState(false);
  const kept = useRef(list);
  if (!held) kept.current = list;
  const hold = () => setHeld(true);
  const release = () => setHeld(false);
  return [kept.current, { onPointerEnter: hold, onPointerLeave: release, onFocusIn: hold, onFocusOut: release }];
}

function Emptiest({ world, matrix, total }) {
  const [places, holding] = useHeld(useMemo(() => emptiest(matrix, EMPTIEST, { lowOnly: true }), [matrix]));
  return html`<section class="card side" aria-labelledby="emptiest-title">
    <div class="card-head"><div><h2 id="emptiest-title">Emptiest shelves</h2>${total > 0 && html`<p class="note">${total > EMPTIEST ? `The ${EMPTIEST} with the least left of their threshold, of ${number(total)} that are low` : "All that are low, the least left of their threshold first"}</p>`}</div></div>
    ${places.length ? html`<div class="side-scroll" ...${holding}><table class="table compact">
      <thead><tr><th scope="col">Shelf</th><th scope="col" class="level-head">Stock / threshold</th></tr></thead>
      <tbody>${places.map((at) => {
        const [store, product] = [Math.floor(at / matrix.products), at % matrix.products];
        return html`<tr key=${at}><td><a href=${shelfLink(world, store, product)}>${world.products[product].name}</a>
          <span class="soft small">${world.stores[store].name}, ${world.stores[store].city}</span></td>
          <td><${Level} stock=${matrix.stock[at]} threshold=${matrix.threshold[at]} /></td></tr>`;
      })}</tbody></table></div>`
      : html`<p class="empty"><strong>No shelf is low.</strong>Let the stores trade for some hours on the <a href="#/pipeline">pipeline</a>.</p>`}
  </section>`;
}

function OneStore({ world, matrix, counts, store, onLeave }) {
  const { id, name, city, country } = world.stores[store];
  const range = { first: store * matrix.products, end: (store + 1) * matrix.products };
  const [places, holding] = useHeld(useMemo(() => emptiest(matrix, MOST_ROWS, range), [matrix, store]));
  const title = useRef(null);
  useEffect(() => title.current.focus(), [store]);
  return html`<section class="card side" aria-labelledby="store-title">
    <div class="card-head"><div><h2 id="store-title" tabindex="-1" ref=${title}>${name}</h2>
      <p class="note">${id} · ${city}, ${country} · ${number(counts.low[store])} of ${counted(counts.carried[store], "shelf", "shelves")} low, ${number(counts.out[store])} sold out</p></div>
      <button class="button" type="button" onClick=${onLeave}>All stores</button></div>
    <div class="side-scroll" ...${holding}><table class="table compact">
      <thead><tr><th scope="col">Product</th><th scope="col" class="level-head">Stock / threshold</th></tr></thead>
      <tbody>${places.filter((at) => Math.floor(at / matrix.products) === store).map((at) => {
        const product = at % matrix.products;
        return html`<tr key=${at}><td><a href=${shelfLink(world, store, product)}>${world.products[product].name}</a><span class="soft small">${world.products[product].category}</span></td>
          <td><${Level} stock=${matrix.stock[at]} threshold=${matrix.threshold[at]} /></td></tr>`;
      })}</tbody></table></div>
  </section>`;
}

function Countries({ world, counts }) {
  const rows = useMemo(() => {
    const found = new Map();
    world.stores.forEach(({ country }, store) => {
      const row = found.get(country) ?? { country, stores: 0, carried: 0, low: 0, out: 0 };
      row.stores += 1;
      for (const name of ["carried", "low", "out"]) row[name] += counts[name][store];
      found.set(country, row);
    });
    return [...found.values()].sort((a, b) => b.low / (b.carried || 1) - a.low / (a.carried || 1));
  }, [world, counts]);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="The map by country"><table class="table compact">
    <thead><tr><th scope="col">Country</th>${["Stores", "Shelves", "Low", "Share low", "Sold out"].map((name) => html`<th key=${name} scope="col" class="number">${name}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.country}><td>${countryName.of(row.country)}</td><td class="number">${number(row.stores)}</td><td class="number">${number(row.carried)}</td>
      <td class="number">${number(row.low)}</td><td class="number">${share(row.carried ? row.low / row.carried : 0)}</td><td class="number">${number(row.out)}</td></tr>`)}</tbody>
  </table></div>`;
}

function Trucks({ world, deliveries }) {
  const names = useMemo(() => ({ stores: new Map(world.stores.map(({ id, name, city }) => [id, `${name}, ${city}`])), products: new Map(world.products.map(({ id, name }) => [id, name])) }), [world]);
  const driving = deliveries.filter(({ status }) => status === "IN_TRANSIT");
  if (!driving.length) return html`<p class="empty"><strong>No truck is on the road.</strong>One leaves when a shelf falls below its threshold.</p>`;
  const due = ({ dispatched_at: left, expected_seconds: takes }) => Date.parse(left) + takes * 1000 - Date.now();
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Trucks on the road"><table class="table compact">
    <thead><tr><th scope="col">Truck</th><th scope="col">To</th><th scope="col">With</th><th scope="col" class="number">Road, km</th><th scope="col" class="number">There in</th></tr></thead>
    <tbody>${driving.sort((a, b) => due(a) - due(b)).slice(0, MOST_ROWS).map((each) => html`<tr key=${each.delivery_id}><td>${each.truck}</td><td>${names.stores.get(each.store_id) ?? each.store_id}</td>
      <td>${number(each.units)} × ${names.products.get(each.product_id) ?? each.product_id}</td><td class="number">${number(each.distance_km)}</td><td class="number">${duration(Math.max(0, Math.round(due(each) / 1000)))}</td></tr>`)}</tbody>
  </table></div>`;
}

function Overview({ world, matrix, outlines, deliveries, theme }) {
  const [chosen, setChosen] = useState(null);
  const search = useRef(null);
  const counts = useMemo(() => matrix && census(matrix), [matrix]);
  useEffect(() => setChosen(null), [world]);
  const countries = useMemo(() => new Set(world.stores.map(({ country }) => country)).size, [world]);
  const driving = deliveries.filter(({ status }) => status === "IN_TRANSIT").length;
  const troubled = counts ? counts.low.reduce((sum, low) => sum + (low > 0), 0) : 0;
  const label = `Map of ${counted(world.stores.length, "store")} in ${counted(countries, "country", "countries")}; ${number(troubled)} of them have a low shelf. ${counted(driving, "truck")} on the road. The same stands in the tables below the map.`;
  const leave = () => { setChosen(null); search.current.querySelector("input").focus(); };
  return html`
    <div class="heading">
      <div><h1>Stores</h1>
        <p class="number">${counted(world.stores.length, "store")} in ${counted(countries, "country", "countries")}${counts && html` · ${counted(counts.total.carried, "shelf", "shelves")} · <span class=${counts.total.low ? "figure warn" : ""}>${number(counts.total.low)} low</span> · <span class=${counts.total.out ? "figure bad" : ""}>${number(counts.total.out)} sold out</span>`} · ${counted(driving, "truck")} on the road</p></div>
      <div ref=${search}><${Search} stores=${world.stores} onChoose=${setChosen} /></div>
    </div>
    <div class="stores">
      <section class="card map-card" aria-label="Map">
        <${StoreMap} world=${world} outlines=${outlines} counts=${counts} deliveries=${deliveries} chosen=${chosen} onChoose=${setChosen} theme=${theme} label=${label} />
        <div class="map-foot">
          <div class="legend" aria-hidden="true"><span><i class="legend-dot"></i>no low shelf</span><span><i class="legend-ramp low turned"></i>up to half of them low</span>
            <span><i class="legend-depot"></i>depot</span><span><i class="legend-truck"></i>truck</span></div>
        </div>
        ${counts && html`<details><summary>The map by country</summary><${Countries} world=${world} counts=${counts} /></details>`}
        <details><summary>${counted(driving, "truck")} on the road</summary><${Trucks} world=${world} deliveries=${deliveries} /></details>
      </section>
      ${matrix && (chosen === null ? html`<${Emptiest} world=${world} matrix=${matrix} total=${counts.total.low} />`
        : html`<${OneStore} world=${world} matrix=${matrix} counts=${counts} store=${chosen} onLeave=${leave} />`)}
      ${matrix && html`<${HeatMap} world=${world} matrix=${matrix} counts=${counts} chosen=${chosen} theme=${theme} onChoose=${setChosen} />`}
    </div>`;
}

const Fault = ({ fault }) => html`<div class="fault" role="alert"><strong>${fault.message}</strong>${fault.next_step}</div>`;

export function Stores({ route, snapshot, theme }) {
  const versions = snapshot?.versions;
  const [store, product] = route.parts;
  const world = usePart(snapshot && "/api/world", versions?.world);
  const overview = snapshot && !product;
  const stock = usePart(overview && "/api/stock", versions?.stock, getBytes);
  const moving = usePart(overview && "/api/deliveries", versions?.deliveries);
  const outlines = usePart(overview && "/page/europe.json", 0, get);
  const matrix = useMemo(() => stock.data && matrixOf(stock.data), [stock.data]);
  // Stores opened between the two readings are in one and not yet in the other; the next version has both.
  const fits = matrix && world.data && matrix.stores === world.data.stores.length && matrix.products === world.data.products.length;
  // Right after the server's start nothing has been read yet; the next version has it.
  const fault = [world, stock, moving].map((part) => part.fault).find((each) => each && each.type !== "NotReadYet");
  if (product) return html`<${Shelf} key=${`${store}/${product}`} store=${store} product=${product} world=${world.data} snapshot=${snapshot} theme=${theme} />`;
  if (!world.data) return fault ? html`<${Fault} fault=${fault} />` : html`<p class="empty" aria-busy="true">Reading the stores…</p>`;
  if (!world.data.stores.length) {
    return html`<div class="heading"><h1>Stores</h1></div><div class="card empty"><strong>No store has opened yet.</strong>Let StoreApp run on the <a href="#/pipeline">pipeline</a>, or: <code>python3 -m workshop generate --stores 20</code></div>`;
  }
  return html`${fault && html`<${Fault} fault=${fault} />`}
    <${Overview} world=${world.data} matrix=${fits ? matrix : null} outlines=${outlines.data} deliveries=${moving.data?.deliveries ?? NOTHING} theme=${theme} />`;
}
