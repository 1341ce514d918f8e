// The heat map of all shelves: a column is a store, a row is a product, the colour is what is left of the threshold.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "/page/vendor/htm-preact.js";
import { counted, number, share } from "/page/format.js";
import { cover, FULL, heatScale, NOT_CARRIED, standing, token } from "/page/shelves.js";

const WIDEST = 110; // pixels of a cell
const TALLEST = 16;
const HEIGHT = 420; // pixels the picture aims at
const GAP_FROM = 5; // cells of at least so many pixels stand apart by one

/** How columns may stand: as the stores are numbered, by country and city, or those with most low shelves first. */
export const ORDERS = { number: "By number", country: "By country", low: "Most low first" };

function columnsOf(stores, order, low) {
  const columns = stores.map((_, index) => index);
  const byPlace = (a, b) => stores[a].country.localeCompare(stores[b].country) || stores[a].city.localeCompare(stores[b].city) || a - b;
  if (order === "country") columns.sort(byPlace);
  if (order === "low") columns.sort((a, b) => low[b] - low[a] || a - b);
  return columns;
}

/** Neighbours that say the same, as [{name, first, count}]. */
function bandsOf(indices, nameOf) {
  const bands = [];
  indices.forEach((index, at) => {
    const name = nameOf(index);
    if (bands.at(-1)?.name === name) bands.at(-1).count += 1;
    else bands.push({ name, first: at, count: 1 });
  });
  return bands;
}

/** Colour every cell into one pixel each of a canvas of stores × products. */
function paint(canvas, matrix, columns, rows, scale) {
  Object.assign(canvas, { width: columns.length, height: rows.length });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(columns.length, rows.length);
  const pixels = new Uint32Array(image.data.buffer);
  for (let column = 0; column < columns.length; column += 1) {
    const first = columns[column] * matrix.products;
    for (let row = 0; row < rows.length; row += 1) {
      const at = first + rows[row];
      pixels[row * columns.length + column] = scale.pixel(matrix.stock[at], matrix.threshold[at]);
    }
  }
  pen.putImageData(image, 0, 0);
}

function Cell({ world, store, product, stock, threshold }) {
  const { word, tone } = standing(stock, threshold);
  const left = stock === NOT_CARRIED ? null : cover(stock, threshold);
  return html`<div class="cell-detail">
    <p class="soft small">${world.stores[store].id} · ${world.stores[store].city}, ${world.stores[store].country}</p>
    <h3>${world.stores[store].name}</h3>
    <p>${world.products[product].name}</p>
    <p class="soft small">${world.products[product].category} · ${world.products[product].id}</p>
    ${left !== null && html`<p class="cell-number number"><b>${number(stock)}</b> <span class="soft">of ${number(threshold)} needed</span></p>
      <div class=${`bar ${tone}`} aria-hidden="true"><span style=${{ width: `${Math.min(100, left * 50)}%` }}></span><i></i></div>`}
    <p class="row"><span class=${`tag ${tone}`}>${word}</span>${left !== null && html`<a href=${shelfLink(world, store, product)}>Open the shelf</a>`}</p>
  </div>`;
}

export const shelfLink = (world, store, product) => `#/stores/${encodeURIComponent(world.stores[store].id)}/${encodeURIComponent(world.products[product].id)}`;

export function HeatMap({ world, matrix, counts, chosen, theme, onChoose }) {
  const [order, setOrder] = useState("number");
  const [cell, setCell] = useState(null); // {column, row}
  const [said, setSaid] = useState("");
  const [room, setRoom] = useState(0);
  const scroller = useRef(null);
  const canvas = useRef(null);
  const source = useMemo(() => document.createElement("canvas"), []);
  const scale = useMemo(heatScale, [theme]);

  // Where "most low first" would put the stores changes every second; it is asked once and then stands still.
  const columns = useMemo(() => columnsOf(world.stores, order, counts.low), [world, order]);
  const rows = useMemo(() => world.products.map((_, index) => index).sort((a, b) => world.products[a].category.localeCompare(world.products[b].category) || a - b), [world]);
  const categories = useMemo(() => bandsOf(rows, (product) => world.products[product].category), [rows]);
  const countries = useMemo(() => (order === "country" ? bandsOf(columns, (store) => world.stores[store].country) : []), [columns]);
  const size = {
    width: Math.min(WIDEST, Math.max(1, Math.floor(room / columns.length))),
    height: Math.min(TALLEST, Math.max(1, Math.floor(HEIGHT / rows.length))),
  };
  const [width, height] = [size.width * columns.length, size.height * rows.length];

  useLayoutEffect(() => {
    const sized = new ResizeObserver(([{ contentRect }]) => setRoom(contentRect.width));
    sized.observe(scroller.current);
    return () => sized.disconnect();
  }, []);

  useEffect(() => {
    if (!room) return;
    paint(source, matrix, columns, rows, scale);
    const ratio = devicePixelRatio;
    const { current: picture } = canvas;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (picture.width !== wide || picture.height !== high) Object.assign(picture, { width: wide, height: high });
    const pen = picture.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(source, 0, 0, picture.width, picture.height);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = token("--surface");
    if (size.width >= GAP_FROM) columns.forEach((_, at) => pen.fillRect((at + 1) * size.width - 1, 0, 1, height));
    if (size.height >= GAP_FROM) rows.forEach((_, at) => pen.fillRect(0, (at + 1) * size.height - 1, width, 1));
    for (const { first } of categories.slice(1)) pen.fillRect(0, first * size.height - 1, width, 1);
    for (const { first } of countries.slice(1)) pen.fillRect(first * size.width - 1, 0, 1, height);
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }, [matrix, columns, rows, scale, width, height, room]);

  const valueAt = ({ column, row }) => {
    const [store, product] = [columns[column], rows[row]];
    const at = store * matrix.products + product;
    return { store, product, stock: matrix.stock[at], threshold: matrix.threshold[at] };
  };
  const open = (at) => {
    const { store, product, stock } = valueAt(at);
    if (stock !== NOT_CARRIED) location.hash = shelfLink(world, store, product);
  };
  const under = (event) => {
    const [column, row] = [Math.floor(event.offsetX / size.width), Math.floor(event.offsetY / size.height)];
    return column >= 0 && row >= 0 && column < columns.length && row < rows.length ? { column, row } : null;
  };
  const onPointerMove = (event) => {
    const at = under(event);
    if (at && (at.column !== cell?.column || at.row !== cell?.row)) setCell(at);
  };
  const pressed = useRef("mouse");
  const onClick = (event) => {
    const at = under(event);
    if (!at) return;
    setCell(at);
    // A finger cannot hover: its first tap shows the cell, and the link in the text beside opens it.
    if (pressed.current === "mouse") open(at);
  };
  const onKeyDown = (event) => {
    const step = event.shiftKey ? 10 : 1;
    const at = cell ?? { column: 0, row: 0 };
    const moves = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
      Home: [-columns.length, 0], End: [columns.length, 0], PageUp: [0, -10], PageDown: [0, 10],
    };
    if (event.key === "Enter" && cell) { event.preventDefault(); open(cell); return; }
    if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [across, down] = cell ? moves[event.key] : [0, 0];
    const next = {
      column: Math.min(columns.length - 1, Math.max(0, at.column + across)),
      row: Math.min(rows.length - 1, Math.max(0, at.row + down)),
    };
    setCell(next);
    const { store, product, stock, threshold } = valueAt(next);
    const { word } = standing(stock, threshold);
    setSaid(`${world.stores[store].name}, ${world.stores[store].city}: ${world.products[product].name}, ${word}${stock === NOT_CARRIED ? "" : `, ${stock} of ${threshold}`}.`);
    const { current: view } = scroller;
    const left = next.column * size.width;
    if (left < view.scrollLeft || left + size.width > view.scrollLeft + view.clientWidth) view.scrollLeft = left - view.clientWidth / 2;
  };
  const shown = cell && cell.column < columns.length && cell.row < rows.length ? cell : null;
  const marked = chosen === null ? -1 : columns.indexOf(chosen);
  const { low, out, carried } = counts.total;
  const label = `Heat map of ${counted(carried, "shelf", "shelves")}: ${counted(columns.length, "store")} across, ${counted(rows.length, "product")} down. ${share(carried ? low / carried : 0)} are below their threshold, ${number(out)} are sold out.`;

  return html`<section class="card heat" aria-labelledby="heat-title">
    <div class="card-head">
      <div><h2 id="heat-title">Every shelf</h2>
        <p class="note">${counted(columns.length, "store")} across, ${counted(rows.length, "product")} down, coloured by stock against threshold</p></div>
      <div class="segmented" role="group" aria-label="Order of the stores">
        ${Object.entries(ORDERS).map(([name, text]) => html`<button key=${name} type="button" aria-pressed=${String(order === name)} onClick=${() => { setOrder(name); setCell(null); }}>${text}</button>`)}
      </div>
    </div>
    <div class="heat-body">
      <div class="heat-rows" aria-hidden="true" style=${{ height: `${height}px` }}>
        ${categories.map(({ name, first, count }) => count * size.height >= 13 && html`<span key=${name} style=${{ top: `${first * size.height}px`, height: `${count * size.height}px` }}>${name}</span>`)}
      </div>
      <div class="heat-scroll" ref=${scroller}>
        <div class="heat-picture" tabindex="0" role="application" aria-roledescription="heat map" aria-label=${label} aria-describedby="heat-keys"
          style=${{ width: `${width}px`, height: `${height}px` }} onKeyDown=${onKeyDown}>
          <canvas ref=${canvas} style=${{ width: `${width}px`, height: `${height}px` }} onPointerMove=${onPointerMove} onPointerDown=${(event) => { pressed.current = event.pointerType; }} onClick=${onClick}></canvas>
          ${marked >= 0 && html`<div class="heat-chosen" style=${{ left: `${marked * size.width}px`, width: `${size.width}px` }}></div>`}
          ${shown && html`<div class="heat-across" style=${{ top: `${shown.row * size.height}px`, height: `${size.height}px` }}></div>
            <div class="heat-down" style=${{ left: `${shown.column * size.width}px`, width: `${size.width}px` }}></div>
            <div class="heat-cursor" style=${{ left: `${shown.column * size.width}px`, top: `${shown.row * size.height}px`, width: `${size.width}px`, height: `${size.height}px` }}></div>`}
        </div>
        ${countries.length > 0 && html`<div class="heat-columns" aria-hidden="true" style=${{ width: `${width}px` }}>
          ${countries.map(({ name, first, count }) => count * size.width >= 20 && html`<span key=${name} style=${{ left: `${first * size.width}px`, width: `${count * size.width}px` }}>${name}</span>`)}</div>`}
      </div>
      <aside class="heat-aside" aria-label="The shelf under the cursor">
        ${shown ? html`<${Cell} world=${world} ...${valueAt(shown)} />
            <button class="button quiet" type="button" onClick=${() => onChoose(columns[shown.column])}>All shelves of this store</button>`
          : html`<p class="soft small">Point at a cell to read it; a click opens the shelf.</p>`}
      </aside>
    </div>
    <div class="heat-foot">
      <div class="legend" aria-hidden="true">
        <span><i class="legend-cell out"></i>sold out</span>
        <span><i class="legend-ramp low"></i>low, up to the threshold</span>
        <span><i class="legend-ramp fine"></i>enough, up to ${FULL} × it</span>
        <span><i class="legend-cell none"></i>not carried</span>
      </div>
      <p class="note" id="heat-keys">With the keyboard: arrow keys move, with Shift by ten, Enter opens the shelf.</p>
    </div>
    <p class="visually-hidden" role="status">${said}</p>
  </section>`;
}
