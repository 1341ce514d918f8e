// Ask: an SQL editor with the named queries, the answer as a table and as a chart, and what it cost.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "/page/vendor/htm-preact.js";
import { get, post, usePart } from "/page/api.js";
import { bytes, counted, duration, number, price, storeTime } from "/page/format.js";
import { axis, Chart, MOMENTS } from "/page/chart.js";
import { token } from "/page/shelves.js";
import { endOfWord, offsetOf, piecesOf } from "/page/sql.js";

const MOST_ROWS = 200;
const MOST_BARS = 30;
const MOST_GRID = 1_000; // cells of a grid of two keys
const STRONGEST = 50; // per cent of colour in a cell: text stays legible on it in both themes
const KEPT = { statement: "ask.statement", name: "ask.name" }; // what stands in the editor, and the named query it came from
const FIRST = `-- What do the stores sell?
SELECT category, sum(units_sold) AS units
FROM unique_events
GROUP BY category
ORDER BY units DESC
`;

const isNumber = (type) => /^(tinyint|smallint|int|integer|bigint|real|float|double|decimal)/.test(type);
const isTime = (type) => /^(timestamp|date)/.test(type);
const isText = (type) => /^(varchar|char|string)/.test(type);

function kept(what) {
  try { return sessionStorage.getItem(KEPT[what]); } catch { return null; }
}
function keep(what, text) {
  try { sessionStorage.setItem(KEPT[what], text); } catch { /* storage is switched off: then it lasts as long as the view */ }
}

/** The statement's pieces, with the place at fault marked in whichever of them it lies. */
function Coloured({ statement, fault }) {
  const [from, to] = fault ?? [-1, -1];
  let at = 0;
  const spans = piecesOf(statement).flatMap(({ kind, text }) => {
    const start = at;
    at += text.length;
    const cuts = [...new Set([0, from - start, to - start, text.length])].filter((cut) => cut >= 0 && cut <= text.length).sort((a, b) => a - b);
    return cuts.slice(1).map((cut, index) => ({ kind, wrong: start + cuts[index] >= from && start + cut <= to, text: text.slice(cuts[index], cut) }));
  });
  return html`${spans.map(({ kind, wrong, text }, index) => html`<span key=${index} class=${`sql-${kind}${wrong ? " sql-wrong" : ""}`}>${text}</span>`)}${"\n"}`;
}

function Editor({ statement, onInput, onRun, fault, area }) {
  const under = useRef(null);
  const numbers = useRef(null);
  const lines = statement.split("\n").length;
  const follow = () => {
    under.current.scrollTop = area.current.scrollTop;
    under.current.scrollLeft = area.current.scrollLeft;
    numbers.current.scrollTop = area.current.scrollTop;
  };
  useLayoutEffect(follow);
  const onKeyDown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); onRun(); }
  };
  return html`<div class="editor">
    <pre class="editor-numbers" ref=${numbers} aria-hidden="true">${Array.from({ length: lines }, (_, line) => `${line + 1}\n`).join("")}</pre>
    <div class="editor-text">
      <pre ref=${under} aria-hidden="true"><${Coloured} statement=${statement} fault=${fault} /></pre>
      <textarea ref=${area} aria-label="SQL statement" aria-describedby="ask-keys" aria-invalid=${String(Boolean(fault))} spellcheck=${false} autocapitalize="off" autocomplete="off" wrap="off"
        rows="14" value=${statement} onInput=${(event) => onInput(event.target.value)} onKeyDown=${onKeyDown} onScroll=${follow}></textarea>
    </div>
  </div>`;
}

function Named({ queries, current, onChoose }) {
  return html`<nav class="named" aria-label="Named queries">
    <h2>Questions</h2>
    <ul>${queries.map((query) => html`<li key=${query.name}><a href=${`#/ask/${encodeURIComponent(query.name)}`} aria-current=${query.name === current ? "true" : undefined} onClick=${() => onChoose(query)}><span>${query.question}</span><code>${query.name}</code></a></li>`)}</ul>
  </nav>`;
}

function shown(value, type) {
  if (value === null) return html`<span class="soft">null</span>`;
  if (typeof value === "number" && isNumber(type) && Number.isInteger(value)) return number(value);
  if (isTime(type)) return String(value).replace("T", " ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function Table({ columns, types, rows }) {
  const visible = rows.slice(0, MOST_ROWS);
  return html`<div class="scroll answer-table" tabindex="0" role="region" aria-label="The answer as a table"><table class="table compact">
    <thead><tr>${columns.map((name, at) => html`<th key=${at} scope="col" class=${isNumber(types[at]) ? "number" : ""}>${name}<span class="type">${types[at]}</span></th>`)}</tr></thead>
    <tbody>${visible.map((row, line) => html`<tr key=${line}>${row.map((value, at) => html`<td key=${at} class=${isNumber(types[at]) ? "number" : ""}>${shown(value, types[at])}</td>`)}</tr>`)}</tbody>
  </table></div>
  ${rows.length > visible.length && html`<p class="note">The first ${number(visible.length)} of ${counted(rows.length, "row")} are shown; a LIMIT or a WHERE makes the answer smaller.</p>`}`;
}

/**
 * Choose how an answer is drawn, for one column of numbers: over time as lines, by two keys as a grid, by one key as bars.
 * Null when there is nothing to draw it against.
 */
function plan({ columns, types, rows }, value) {
  const keys = columns.map((_, at) => at).filter((at) => at !== value);
  const times = keys.filter((at) => isTime(types[at]));
  const texts = keys.filter((at) => isText(types[at]));
  const distinct = (at) => [...new Set(rows.map((row) => row[at]))];
  if (times.length && distinct(times[0]).length === rows.length) return { kind: "lines", time: times[0] };
  const steps = keys.filter((at) => at < value && (isTime(types[at]) || isNumber(types[at])));
  for (const down of texts) {
    for (const across of [...steps, ...texts.filter((at) => at > down)]) {
      const [names, marks] = [distinct(down), distinct(across)];
      if (names.length > 1 && names.length < rows.length && marks.length > 1 && names.length * marks.length <= MOST_GRID
        && new Set(rows.map((row) => JSON.stringify([row[down], row[across]]))).size === rows.length) return { kind: "grid", down, across, names, marks: marks.sort((a, b) => (a > b) - (a < b)) };
    }
  }
  const labels = [...texts, ...times].sort((a, b) => a - b);
  if (labels.length) return { kind: "bars", labels };
  return keys.length === 1 ? { kind: "bars", labels: keys } : null;
}

function Bars({ rows, labels, value }) {
  const drawn = rows.slice(0, MOST_BARS);
  const most = Math.max(...drawn.map((row) => Math.abs(Number(row[value]) || 0)), 1e-12);
  return html`<div class="bars" role="list">${drawn.map((row, line) => html`<div key=${line} role="listitem" class="bars-row">
      <span class="bars-name">${labels.map((at) => row[at]).filter((part) => part !== null).join(" · ")}</span>
      <span class="bars-track" aria-hidden="true"><span style=${{ width: `${(Math.abs(Number(row[value]) || 0) / most) * 100}%` }}></span></span>
      <span class="number">${row[value] === null ? "null" : Number(row[value]).toLocaleString("en")}</span></div>`)}</div>
    ${rows.length > drawn.length && html`<p class="note">The first ${MOST_BARS} of ${counted(rows.length, "row")}.</p>`}`;
}

/** A key of the grid: a moment as its day over its time, anything else as it is. */
function Mark({ mark, type }) {
  if (!isTime(type)) return html`${mark ?? "null"}`;
  const [day, at] = String(mark).split("T");
  return html`<span class="mark-day">${day}</span>${at?.slice(0, 5)}`;
}

function Grid({ rows, down, across, names, marks, value, columns, types }) {
  const cells = new Map(rows.map((row) => [JSON.stringify([row[down], row[across]]), Number(row[value])]));
  const most = Math.max(...[...cells.values()].filter(Number.isFinite), 1e-12);
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${`${columns[value]} by ${columns[down]} and ${columns[across]}`}><table class="grid">
    <thead><tr><th scope="col">${columns[down]}</th>${marks.map((mark) => html`<th key=${mark} scope="col" class="number"><${Mark} mark=${mark} type=${types[across]} /></th>`)}</tr></thead>
    <tbody>${names.map((name) => html`<tr key=${name}><th scope="row">${name}</th>${marks.map((mark) => {
      const cell = cells.get(JSON.stringify([name, mark]));
      const strength = cell ? (Math.max(0, cell) / most) * STRONGEST : 0;
      return html`<td key=${mark} class="number" style=${{ "--strength": `${Math.round(strength)}%` }}>${cell === undefined ? "" : number(cell)}</td>`;
    })}</tr>`)}</tbody></table></div>`;
}

function Lines({ rows, time, value, columns, theme }) {
  const options = useMemo(() => ({
    tzDate: (stamp) => new Date((stamp + new Date(stamp * 1000).getTimezoneOffset() * 60) * 1000), // Athena's times carry no zone: shown as they are
    axes: [axis({ values: MOMENTS }), axis({ size: 60 })],
    series: [
      { label: columns[time], value: (_, stamp) => (stamp === null ? "–" : storeTime(new Date(stamp * 1000).toISOString())) },
      { label: columns[value], stroke: token("--series-1"), width: 2, points: { show: rows.length < 60 }, value: (_, n) => (n === null ? "–" : n.toLocaleString("en")) },
    ],
  }), [rows, value, theme]);
  const data = useMemo(() => {
    const points = rows.map((row) => [Date.parse(`${row[time]}${/T.*(?:Z|[+-]\d\d:?\d\d)$/.test(row[time]) ? "" : row[time].includes("T") ? "Z" : "T00:00Z"}`) / 1000, row[value] === null ? null : Number(row[value])])
      .filter(([at]) => Number.isFinite(at)).sort(([a], [b]) => a - b);
    return [points.map(([at]) => at), points.map(([, n]) => n)];
  }, [rows, value]);
  return html`<${Chart} options=${options} data=${data} height=${280} label=${`${columns[value]} over ${columns[time]}. The same stands in the table.`} />`;
}

function Picture({ answer, theme }) {
  const { columns, types, rows } = answer;
  const values = useMemo(() => columns.map((_, at) => at).filter((at) => isNumber(types[at]) && !/(^|_)(latitude|longitude)$/.test(columns[at]) && plan(answer, at)), [answer]);
  const [wanted, setWanted] = useState(null);
  const value = values.includes(wanted) ? wanted : values.at(-1);
  if (rows.length < 2 || value === undefined) return null;
  const drawn = plan(answer, value);
  const kinds = { lines: Lines, grid: Grid, bars: Bars };
  return html`<section class="card" aria-labelledby="picture-title">
    <div class="card-head"><div><h2 id="picture-title">${columns[value]}</h2></div>
      ${values.length > 1 && html`<label class="field picture-field"><span>Shown</span><select value=${String(value)} onChange=${(event) => setWanted(Number(event.target.value))}>
        ${values.map((at) => html`<option key=${at} value=${String(at)}>${columns[at]}</option>`)}</select></label>`}</div>
    <${kinds[drawn.kind]} ...${drawn} rows=${rows} columns=${columns} types=${types} value=${value} theme=${theme} />
  </section>`;
}

function Answer({ answer, theme }) {
  const { rows, truncated } = answer;
  return html`<div class="stack">
    <dl class="answer-figures">
      <div><dt>Rows</dt><dd>${number(rows.length)}${truncated ? "+" : ""}</dd></div>
      <div><dt>Time</dt><dd>${duration(answer.milliseconds / 1000)}</dd></div>
      <div><dt>Scanned</dt><dd>${bytes(answer.data_scanned_bytes)}</dd></div>
      <div><dt>Price on AWS</dt><dd>${price(answer.price_usd)}</dd></div>
    </dl>
    ${truncated && html`<p class="note">There are more rows than the ${number(rows.length)} that were fetched: a LIMIT or an aggregate makes the answer smaller.</p>`}
    <${Picture} answer=${answer} theme=${theme} />
    ${rows.length ? html`<section class="card" aria-label="Table"><${Table} ...${answer} /></section>`
      : html`<div class="card empty"><strong>The answer has no rows.</strong>${answer.columns.length ? "No record fits the question. Widen the WHERE, or let the stores trade some more." : "The statement succeeded."}</div>`}
  </div>`;
}

export function Ask({ route, theme, announce }) {
  const [name] = route.parts;
  const named = usePart("/api/queries", 0, get);
  const queries = named.data?.queries ?? [];
  const [statement, setStatement] = useState(() => kept("statement") ?? FIRST);
  const [running, setRunning] = useState(false);
  const [answer, setAnswer] = useState(null);
  const [refused, setRefused] = useState(null);
  const area = useRef(null);
  const leaving = useRef(null);
  const write = (text) => { setStatement(text); keep("statement", text); setRefused(null); };
  const choose = (query) => { write(query.sql); keep("name", query.name); setAnswer(null); };
  useEffect(() => {
    // What was made of a named query survives loading the page again; a link to another one replaces it.
    const query = queries.find((each) => each.name === name);
    if (query && kept("name") !== name) choose(query);
  }, [name, named.data]);
  useEffect(() => () => leaving.current?.abort(), []);
  const fault = useMemo(() => {
    if (!refused?.line) return null;
    const start = offsetOf(statement, refused.line, refused.column ?? 1);
    return [start, Math.max(start + 1, endOfWord(statement, start))];
  }, [refused, statement]);
  useEffect(() => {
    if (!fault) return;
    area.current.focus();
    area.current.setSelectionRange(fault[0], fault[0]);
  }, [refused]);
  const run = async () => {
    if (running || !statement.trim()) return;
    const signal = (leaving.current = new AbortController()).signal;
    setRunning(true);
    setRefused(null);
    try {
      const found = await post("/api/queries", { sql: statement }, { signal });
      setAnswer(found);
      announce?.(`${counted(found.rows.length, "row")} in ${duration(found.milliseconds / 1000)}.`);
    } catch (error) {
      if (signal.aborted) return;
      setAnswer(null);
      setRefused(error);
    }
    setRunning(false);
  };
  const cancel = () => { leaving.current.abort(); setRunning(false); };
  return html`<div class="heading"><div><h1>Ask</h1><p>Athena answers in SQL over the lake: <code>unique_events</code> holds each event once, <code>stock_events</code> as delivered.</p></div></div>
    <div class="ask">
      ${queries.length > 0 && html`<${Named} queries=${queries} current=${name} onChoose=${choose} />`}
      <div class="stack">
        <section class="card editor-card" aria-label="Statement">
          <${Editor} statement=${statement} onInput=${write} onRun=${run} fault=${fault} area=${area} />
          <div class="editor-foot">
            <p class="note" id="ask-keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd> runs it; <kbd>Tab</kbd> leaves the editor</p>
            <div class="row">${running && html`<button class="button" type="button" onClick=${cancel}>Stop waiting</button>`}
              <button class="button primary" type="button" disabled=${running || !statement.trim()} onClick=${run}>${running ? "Asking…" : "Run"}</button></div>
          </div>
          ${refused && html`<div class="fault" role="alert"><strong>${refused.message}</strong>${refused.next_step}</div>`}
        </section>
        ${named.fault && html`<div class="fault" role="alert"><strong>${named.fault.message}</strong>${named.fault.next_step}</div>`}
        ${answer ? html`<${Answer} answer=${answer} theme=${theme} />` : !refused && !running && html`<p class="empty"><strong>No answer yet.</strong>Choose a question or write your own, then run it.</p>`}
      </div>
    </div>`;
}
