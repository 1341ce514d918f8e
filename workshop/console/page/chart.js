// A chart that follows its box, and the look of its axes in either theme.
import { html, useEffect, useRef } from "/page/vendor/htm-preact.js";
import uPlot from "/page/vendor/uplot.js";
import { token } from "/page/shelves.js";

/** A chart of uPlot that is made anew when `options` change and follows the width of its box. */
export function Chart({ options, data, height, label }) {
  const box = useRef(null);
  const made = useRef(null);
  useEffect(() => {
    const plot = new uPlot({ width: Math.max(200, box.current.clientWidth), height, ...options }, data, box.current);
    made.current = plot;
    const sized = new ResizeObserver(([{ contentRect }]) => plot.setSize({ width: Math.max(200, contentRect.width), height }));
    sized.observe(box.current);
    return () => { sized.disconnect(); plot.destroy(); };
  }, [options]);
  const first = useRef(true);
  useEffect(() => {
    if (first.current) first.current = false;
    else made.current.setData(data);
  }, [data]);
  return html`<figure class="chart" role="group" aria-label=${label} ref=${box}></figure>`;
}

// uPlot's rules for marks of time: from so many seconds apart, how a mark reads, and how where a new day begins.
export const MOMENTS = [
  [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
];

/** The theme's look of an axis. */
export const axis = (more) => ({ stroke: token("--ink-soft"), font: `12px ${token("--sans")}`, grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1, size: 4 }, ...more });
