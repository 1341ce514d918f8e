// The map: land, stores coloured by their share of low shelves, depots, and trucks on their way. No tiles, no network.
import { html, useEffect, useRef, useState } from "/page/vendor/htm-preact.js";
import { counted, duration, number } from "/page/format.js";
import { heatScale, token } from "/page/shelves.js";

const PADDING = 36; // pixels between the outermost store and the edge
const LEAST_SPAN = 3; // degrees of latitude that a single store is shown with
const REACH = 12; // pixels within which the pointer finds something
const CLOSEST = 40; // times the whole
const ARRIVAL = 2_500; // milliseconds for which an arrival is seen
const OUTLINED = { west: -25, south: 34, east: 45, north: 72 }; // what europe.json holds, in degrees
const ROOM_FOR_NAMES = 11; // pixels of a degree from which depots are named
const TILT = 0.16; // how far a route bends, as a share of its length

/** A picture of two layers: what stands still, drawn when it changes, and trucks, drawn as often as the screen is. */
export class MapPicture {
  constructor(ground, road) {
    Object.assign(this, { ground, road, backdrop: document.createElement("canvas"), width: 0, height: 0, zoom: 1, shift: [0, 0], trips: [], stores: [], depots: [], shares: null, chosen: null, frame: 0 });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  close() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.later);
    this.closed = true;
  }

  repaint() {
    this.theme = Object.fromEntries(["--land", "--water", "--line", "--line-strong", "--ink", "--ink-soft", "--surface", "--accent", "--map-coast", "--map-calm"].map((name) => [name, token(name)]));
    this.heat = heatScale();
    this.draw();
  }

  resize(width, height) {
    Object.assign(this, { width, height });
    const ratio = devicePixelRatio;
    for (const canvas of [this.ground, this.road]) Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    this.draw();
  }

  setOutlines({ land, lines }) {
    const path = (parts, closed) => {
      const drawn = new Path2D();
      for (const part of parts) {
        part.forEach(([x, y], at) => (at ? drawn.lineTo(x, -y) : drawn.moveTo(x, -y)));
        if (closed) drawn.closePath();
      }
      return drawn;
    };
    Object.assign(this, { land: path(land, true), lines: path(lines, false) });
    this.draw();
  }

  setWorld({ stores, depots }) {
    Object.assign(this, { stores, depots });
    const places = [...stores, ...depots];
    const [south, north] = extent(places.map((place) => place.latitude));
    const [west, east] = extent(places.map((place) => place.longitude));
    this.middle = [(west + east) / 2, (south + north) / 2];
    this.squeeze = Math.cos((this.middle[1] * Math.PI) / 180); // an equirectangular map that is true in its middle
    this.span = [Math.max(LEAST_SPAN, (east - west) * this.squeeze), Math.max(LEAST_SPAN, north - south)];
    this.places = new Map([...stores.map((store) => [store.id, store]), ...depots.map((depot) => [`depot ${depot.name}`, depot])]);
    this.draw();
  }

  setShares(shares) {
    this.shares = shares;
    this.draw();
  }

  setChosen(chosen) {
    this.chosen = chosen;
    this.draw();
  }

  setDeliveries(deliveries) {
    this.trips = deliveries.flatMap((delivery) => {
      const from = this.places?.get(`depot ${delivery.depot}`);
      const to = this.places?.get(delivery.store_id);
      if (!from || !to) return [];
      const left = Date.parse(delivery.dispatched_at);
      return [{ delivery, from, to, left, due: left + delivery.expected_seconds * 1000, arrived: delivery.delivered_at && Date.parse(delivery.delivered_at) }];
    });
    this.draw();
  }

  get scale() {
    return this.zoom * Math.min((this.width - 2 * PADDING) / this.span[0], (this.height - 2 * PADDING) / this.span[1]);
  }

  /** Pixels of a place. */
  at({ longitude, latitude }) {
    const { scale } = this;
    return [
      this.width / 2 + this.shift[0] + (longitude - this.middle[0]) * this.squeeze * scale,
      this.height / 2 + this.shift[1] - (latitude - this.middle[1]) * scale,
    ];
  }

  zoomBy(factor, [x, y] = [this.width / 2, this.height / 2]) {
    const zoom = Math.min(CLOSEST, Math.max(1, this.zoom * factor));
    const grown = zoom / this.zoom;
    const from = [x - this.width / 2, y - this.height / 2];
    this.shift = this.shift.map((shift, axis) => from[axis] - (from[axis] - shift) * grown);
    this.zoom = zoom;
    this.moveBy(0, 0);
  }

  moveBy(x, y) {
    const room = [this.width, this.height].map((size) => (size / 2) * this.zoom);
    this.shift = this.shift.map((shift, axis) => Math.max(-room[axis], Math.min(room[axis], shift + [x, y][axis])));
    if (this.zoom === 1) this.shift = [0, 0];
    this.draw();
  }

  fit() {
    Object.assign(this, { zoom: 1, shift: [0, 0] });
    this.draw();
  }

  /** Bring a place to the middle, close enough to tell its neighbours apart. */
  show(place) {
    this.zoom = Math.max(this.zoom, 6);
    const [x, y] = this.at(place);
    this.moveBy(this.width / 2 - x, this.height / 2 - y);
  }

  /** What is under the pointer: {store} (its place in the world), {trip} or null. */
  find(x, y) {
    let nearest = null;
    let least = REACH ** 2;
    const consider = (place, found) => {
      const away = (place[0] - x) ** 2 + (place[1] - y) ** 2;
      if (away < least) [nearest, least] = [{ ...found, place }, away];
    };
    this.stores.forEach((store, index) => consider(this.at(store), { store: index }));
    const now = Date.now();
    for (const trip of this.trips) {
      if (now < trip.due && !trip.arrived) consider(this.truckAt(trip, now).place, { trip });
    }
    return nearest;
  }

  draw() {
    if (this.asked || this.closed) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      if (this.closed || !this.width || !this.theme || !this.stores.length) return;
      this.drawGround();
      this.drawRoad();
    });
  }

  pen(canvas) {
    const pen = canvas.getContext("2d");
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    return pen;
  }

  drawGround() {
    const { theme } = this;
    const pen = this.pen(this.ground);
    this.drawLand();
    pen.drawImage(this.backdrop, 0, 0, this.width, this.height);
    pen.lineWidth = 1;
    pen.strokeStyle = theme["--accent"];
    pen.globalAlpha = 0.28;
    pen.beginPath();
    for (const trip of this.trips) {
      if (trip.arrived) continue;
      const { start, bend, end } = this.route(trip);
      pen.moveTo(...start);
      pen.quadraticCurveTo(...bend, ...end);
    }
    pen.stroke();
    pen.globalAlpha = 1;
    this.drawStores(pen);
    this.drawDepots(pen);
  }

  /** Draw the land, the same in every frame until the view, the theme or the outlines change. */
  drawLand() {
    const { theme, scale } = this;
    const seen = [this.width, this.height, devicePixelRatio, ...this.middle, scale, ...this.shift, ...Object.values(theme), Boolean(this.land)].join();
    if (seen === this.seen) return;
    this.seen = seen;
    Object.assign(this.backdrop, { width: this.ground.width, height: this.ground.height });
    const pen = this.pen(this.backdrop);
    pen.fillStyle = theme["--water"];
    pen.fillRect(0, 0, this.width, this.height);
    if (!this.land) return;
    const [x, y] = this.at({ longitude: 0, latitude: 0 });
    pen.save();
    pen.translate(x, y);
    pen.scale(scale * this.squeeze, scale);
    pen.fillStyle = theme["--land"];
    pen.fill(this.land, "evenodd");
    pen.lineWidth = 0.8 / scale;
    pen.strokeStyle = theme["--map-coast"];
    pen.stroke(this.lines);
    pen.restore();
    this.fadeEdges(pen);
  }

  /** Let the land end softly where the outlines do. */
  fadeEdges(pen) {
    const { west, south, east, north } = OUTLINED;
    const [left, top] = this.at({ longitude: west, latitude: north });
    const [right, bottom] = this.at({ longitude: east, latitude: south });
    const clear = `${this.theme["--water"]}00`;
    for (const [x, y, across, down] of [[left, top, 5, 0], [right, top, -12, 0], [left, top, 0, 4], [left, bottom, 0, -4]]) {
      const [wide, high] = [across * this.squeeze * this.scale, down * this.scale];
      const fade = pen.createLinearGradient(x, y, x + wide, y + high);
      fade.addColorStop(0, this.theme["--water"]);
      fade.addColorStop(1, clear);
      pen.fillStyle = fade;
      pen.fillRect(x - Math.sign(wide), y - Math.sign(high), wide || right - left, high || bottom - top);
    }
  }

  drawStores(pen) {
    const { theme, heat } = this;
    const crowd = Math.sqrt(this.stores.length);
    const radius = Math.min(7, Math.max(3.2, 26 / crowd) * Math.sqrt(Math.min(4, this.zoom)));
    // Those with most low shelves last, so that trouble is never hidden behind calm.
    const order = this.stores.map((_, index) => index);
    if (this.shares) order.sort((a, b) => this.shares[a] - this.shares[b]);
    pen.lineWidth = 0.75;
    pen.strokeStyle = theme["--surface"];
    for (const index of order) {
      const [x, y] = this.at(this.stores[index]);
      if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) continue;
      pen.fillStyle = this.shares ? this.shares[index] ? storeColour(heat, this.shares[index]) : theme["--map-calm"] : theme["--line-strong"];
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fill();
      pen.stroke();
    }
    if (this.chosen !== null && this.stores[this.chosen]) {
      const [x, y] = this.at(this.stores[this.chosen]);
      for (const [width, colour] of [[5, theme["--surface"]], [2, theme["--ink"]]]) {
        Object.assign(pen, { lineWidth: width, strokeStyle: colour });
        pen.beginPath();
        pen.arc(x, y, radius + 5, 0, 2 * Math.PI);
        pen.stroke();
      }
      this.label(pen, this.stores[this.chosen].name, x + radius + 11, y, theme["--ink"], "600 12px");
    }
  }

  drawDepots(pen) {
    const { theme } = this;
    for (const depot of this.depots) {
      const [x, y] = this.at(depot);
      pen.fillStyle = theme["--surface"];
      pen.fillRect(x - 6.5, y - 6.5, 13, 13);
      pen.fillStyle = theme["--ink"];
      pen.fillRect(x - 5, y - 5, 10, 10);
      pen.fillStyle = theme["--surface"];
      pen.fillRect(x - 2, y - 1, 4, 6);
      if (this.scale > ROOM_FOR_NAMES) this.label(pen, depot.name, x + 10, y, theme["--ink"], "11px");
    }
  }

  label(pen, text, x, y, colour, font) {
    pen.font = `${font} ${token("--sans") || "sans-serif"}`;
    Object.assign(pen, { textBaseline: "middle", lineWidth: 3.5, lineJoin: "round", strokeStyle: this.theme["--land"], fillStyle: colour });
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }

  route({ from, to }) {
    const start = this.at(from);
    const end = this.at(to);
    const bend = [(start[0] + end[0]) / 2 + (end[1] - start[1]) * TILT, (start[1] + end[1]) / 2 - (end[0] - start[0]) * TILT];
    return { start, bend, end };
  }

  /** Where a truck is on its way now, and which way it heads in radians. */
  truckAt(trip, now) {
    const { start, bend, end } = this.route(trip);
    const share = Math.min(1, Math.max(0, (now - trip.left) / (trip.due - trip.left)));
    const left = 1 - share;
    const mix = (axis) => left * left * start[axis] + 2 * left * share * bend[axis] + share * share * end[axis];
    const slope = (axis) => left * (bend[axis] - start[axis]) + share * (end[axis] - bend[axis]);
    return { place: [mix(0), mix(1)], heading: Math.atan2(slope(1), slope(0)) };
  }

  drawRoad() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.later);
    const { theme } = this;
    const pen = this.pen(this.road);
    const now = Date.now();
    let moving = false;
    for (const trip of this.trips) {
      const since = trip.arrived ? now - trip.arrived : null;
      if (since !== null && since < ARRIVAL) {
        moving = true;
        if (!this.calm) this.drawArrival(pen, this.at(trip.to), since / ARRIVAL);
      }
      if (trip.arrived) continue;
      moving ||= now < trip.due;
      const { place: [x, y], heading } = this.truckAt(trip, now);
      pen.save();
      pen.translate(x, y);
      pen.rotate(heading);
      pen.fillStyle = theme["--surface"];
      pen.fillRect(-7, -4.5, 14, 9);
      pen.fillStyle = theme["--accent"];
      pen.fillRect(-5.5, -3, 7, 6);
      pen.fillRect(2.5, -2.5, 3, 5);
      pen.restore();
    }
    if (!moving) return;
    if (this.calm) this.later = setTimeout(() => this.drawRoad(), 1000);
    else this.frame = requestAnimationFrame(() => !this.closed && this.drawRoad());
  }

  drawArrival(pen, [x, y], share) {
    pen.globalAlpha = 1 - share;
    Object.assign(pen, { lineWidth: 2, strokeStyle: this.theme["--accent"] });
    pen.beginPath();
    pen.arc(x, y, 4 + 18 * share, 0, 2 * Math.PI);
    pen.stroke();
    pen.globalAlpha = 1;
  }
}

const extent = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

/** With half of its shelves low a store is as red as it gets. */
const storeColour = (heat, low) => heat.css(Math.max(1e-6, 1 - low * 2 - 1e-6));

function Tip({ found, world, counts }) {
  const [x, y] = found.place;
  const said = found.trip
    ? html`<strong>${found.trip.delivery.truck}</strong><span>${counted(found.trip.delivery.units, "unit")} to ${found.trip.to.name}, ${found.trip.to.city}</span>
        <span>there in ${duration(Math.max(0, Math.round((found.trip.due - Date.now()) / 1000)))}</span>`
    : html`<strong>${world.stores[found.store].name}</strong><span>${world.stores[found.store].city}, ${world.stores[found.store].country} · ${world.stores[found.store].id}</span>
        ${counts && html`<span>${number(counts.low[found.store])} of ${counted(counts.carried[found.store], "shelf", "shelves")} low, ${number(counts.out[found.store])} sold out</span>`}`;
  return html`<div class="map-tip" style=${{ left: `${x}px`, top: `${y}px` }}>${said}</div>`;
}

/** The map with its controls. What it shows stands in words beside it, so the picture itself is one image to a screen reader. */
export function StoreMap({ world, outlines, counts, deliveries, chosen, onChoose, theme, label }) {
  const box = useRef(null);
  const ground = useRef(null);
  const road = useRef(null);
  const picture = useRef(null);
  const grip = useRef(null);
  const [found, setFound] = useState(null);

  useEffect(() => {
    const drawn = new MapPicture(ground.current, road.current);
    picture.current = drawn;
    const sized = new ResizeObserver(([{ contentRect }]) => drawn.resize(contentRect.width, contentRect.height));
    sized.observe(box.current);
    // A plain wheel scrolls the page; with Ctrl or ⌘ (as a pinch on a touchpad is told) it zooms. Preact would listen passively.
    const wheel = (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      drawn.zoomBy(Math.exp(-event.deltaY / 200), [event.offsetX, event.offsetY]);
    };
    const { current: element } = box;
    element.addEventListener("wheel", wheel, { passive: false });
    return () => { sized.disconnect(); element.removeEventListener("wheel", wheel); drawn.close(); };
  }, []);
  useEffect(() => picture.current.repaint(), [theme]);
  useEffect(() => { if (outlines) picture.current.setOutlines(outlines); }, [outlines]);
  useEffect(() => picture.current.setWorld(world), [world]);
  useEffect(() => picture.current.setShares(counts && Array.from(counts.low, (low, store) => (counts.carried[store] ? low / counts.carried[store] : 0))), [counts]);
  useEffect(() => picture.current.setDeliveries(deliveries), [deliveries, world]);
  useEffect(() => {
    picture.current.setChosen(chosen);
    if (chosen !== null) picture.current.show(world.stores[chosen]);
  }, [chosen]);

  const onPointerMove = (event) => {
    if (grip.current) {
      const [x, y] = [event.clientX - grip.current.x, event.clientY - grip.current.y];
      if (grip.current.moved || Math.hypot(x, y) > 4) {
        grip.current = { x: event.clientX, y: event.clientY, moved: true };
        picture.current.moveBy(x, y);
        setFound(null);
      }
      return;
    }
    setFound(picture.current.find(event.offsetX, event.offsetY));
  };
  const onPointerDown = (event) => {
    if (event.button !== 0 || event.target !== road.current) return;
    grip.current = { x: event.clientX, y: event.clientY, moved: false };
    if (event.pointerType === "mouse") event.target.setPointerCapture(event.pointerId);
  };
  const onPointerUp = (event) => {
    const dragged = grip.current?.moved;
    grip.current = null;
    if (dragged || event.target !== road.current) return;
    const hit = picture.current.find(event.offsetX, event.offsetY);
    if (hit?.store !== undefined) onChoose(hit.store);
  };
  const leave = () => { grip.current = null; setFound(null); };
  const zoom = (factor) => () => (factor ? picture.current.zoomBy(factor) : picture.current.fit());
  return html`<div class="map" ref=${box}>
    <canvas ref=${ground} role="img" aria-label=${label}></canvas>
    <canvas ref=${road} aria-hidden="true" onPointerMove=${onPointerMove} onPointerDown=${onPointerDown} onPointerUp=${onPointerUp} onPointerCancel=${leave} onPointerLeave=${leave}></canvas>
    <div class="map-controls" role="group" aria-label="Zoom of the map">
      <button type="button" aria-label="Closer" onClick=${zoom(1.6)}>+</button>
      <button type="button" aria-label="Farther" onClick=${zoom(1 / 1.6)}>−</button>
      <button type="button" aria-label="The whole map" onClick=${zoom(0)}>⤢</button>
    </div>
    ${found && html`<${Tip} found=${found} world=${world} counts=${counts} />`}
  </div>`;
}
