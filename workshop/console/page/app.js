// The page's frame: the five views by hash route, the stream of snapshots, the theme, banners and announcements.
import { html, render, useCallback, useEffect, useErrorBoundary, useRef, useState } from "/page/vendor/htm-preact.js";
import { time } from "/page/format.js";
import { observe } from "/page/pipeline.js";

// A view's module is fetched when the view is first opened.
const VIEWS = {
  pipeline: { title: "Pipeline", load: async () => (await import("/page/pipeline.js")).Pipeline },
  stores: { title: "Stores", load: async () => (await import("/page/stores.js")).Stores },
  alerts: { title: "Alerts", load: async () => (await import("/page/alerts.js")).Alerts },
  trace: { title: "Trace", load: async () => (await import("/page/trace.js")).Trace },
  ask: { title: "Ask", load: async () => (await import("/page/ask.js")).Ask },
};

const HIDDEN_GRACE = 60_000; // milliseconds after which a page nobody sees lets the server rest
const LONGEST_PAUSE = 5_000;

/** Read `#/trace/S00001-P0001-96` as {view: "trace", parts: ["S00001-P0001-96"]}; what is no view is the pipeline. */
function routeOf(hash) {
  const [view, ...parts] = hash.replace(/^#\/?/, "").split("/").map((part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  return Object.hasOwn(VIEWS, view) ? { view, parts: parts.filter(Boolean) } : { view: "pipeline", parts: [] };
}

function useRoute() {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

function useTheme() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme);
  useEffect(() => {
    const follow = () => setTheme(document.documentElement.dataset.theme);
    addEventListener("theme", follow);
    return () => removeEventListener("theme", follow);
  }, []);
  const toggle = () => {
    const chosen = theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", chosen); } catch { /* then it lasts until the page is closed */ }
    document.documentElement.dataset.theme = chosen;
    dispatchEvent(new Event("theme"));
  };
  return [theme, toggle];
}

/**
 * Keep the stream of snapshots open and return [snapshot, connection], where the connection is "connecting", "live", "lost" or "resting".
 * EventSource returns by itself from a broken connection, but not from an answer that is no stream: then a new one is opened.
 */
function useSnapshots() {
  const [snapshot, setSnapshot] = useState(null);
  const [connection, setConnection] = useState("connecting");
  useEffect(() => {
    let source = null;
    let again = null;
    let resting = null;
    let pause = 500;
    const open = () => {
      clearTimeout(again);
      source?.close();
      source = new EventSource("/api/events");
      source.addEventListener("open", () => { pause = 500; setConnection("live"); });
      source.addEventListener("snapshot", (event) => {
        const document = JSON.parse(event.data);
        observe(document);
        setSnapshot(document);
      });
      source.addEventListener("error", () => {
        setConnection("lost");
        if (source.readyState === EventSource.CLOSED) {
          pause = Math.min(pause * 2, LONGEST_PAUSE);
          again = setTimeout(open, pause);
        }
      });
    };
    const rest = () => { clearTimeout(again); source?.close(); source = null; setConnection("resting"); };
    const seen = () => {
      clearTimeout(resting);
      if (document.hidden) resting = setTimeout(rest, HIDDEN_GRACE);
      else if (source === null) open();
    };
    open();
    document.addEventListener("visibilitychange", seen);
    return () => { document.removeEventListener("visibilitychange", seen); clearTimeout(resting); rest(); };
  }, []);
  return [snapshot, connection];
}

const CONNECTION = {
  connecting: ["", "Connecting"],
  live: ["live", "Live"],
  lost: ["lost", "Reconnecting"],
  resting: ["", "Resting"],
};

function Masthead({ view, snapshot, connection, theme, onTheme }) {
  const [state, said] = CONNECTION[connection];
  const target = snapshot?.target;
  return html`<header class="masthead">
    <div class="brand">
      <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
        <path d="M2 17h4l3-9 4 12 3-8 1.500 3H22" />
      </svg>
      <span class="brand-name">Inventory workshop</span>
    </div>
    <nav class="views" aria-label="Views">
      ${Object.entries(VIEWS).map(([name, { title }]) => html`<a key=${name} href=${`#/${name}`} data-text=${title} aria-current=${name === view ? "page" : undefined}>${title}</a>`)}
    </nav>
    <div class="whereabouts">
      ${target && html`<span title=${target.endpoint ?? undefined}><b>${target.name === "aws" ? "AWS" : "Embedded AWS"}</b><span class="region"> · ${target.region}</span></span>`}
      <span class=${`pulse ${state}`}>${said}</span>
      <button class="button quiet" type="button" onClick=${onTheme}>${theme === "dark" ? "Light" : "Dark"}<span class="visually-hidden"> theme</span></button>
    </div>
  </header>`;
}

function Banners({ snapshot, connection }) {
  const problem = snapshot?.problem;
  return html`<section aria-label="Notices">
    ${connection === "lost" && html`<div class="banner"><strong>The page's server is out of reach.</strong>
      <span>Reconnecting by itself${snapshot ? "; the numbers below are the last ones" : ""}. If it was stopped: <code>python3 -m workshop console</code></span></div>`}
    ${problem && html`<div class="banner bad"><strong>${problem.message}</strong>
      <span>${problem.next_step}${problem.since ? html` <span class="soft">Since ${time(problem.since)}; the numbers below are the last ones.</span>` : ""}</span></div>`}
  </section>`;
}

/** Say once what changed to who does not see it: the connection, a problem, the run's state. */
function useNews({ snapshot, connection }, announce) {
  const before = useRef({ connection, problem: null, run: null });
  useEffect(() => {
    const was = before.current;
    const now = { connection, problem: snapshot?.problem?.message ?? null, run: snapshot?.run?.state ?? was.run };
    before.current = now;
    if (was.connection !== now.connection && now.connection === "lost") announce("The page's server is out of reach. Reconnecting.");
    if (was.connection === "lost" && now.connection === "live") announce("Connected again.");
    if (was.problem !== now.problem) announce(now.problem ?? "The problem is over.");
    if (was.run !== null && was.run !== now.run) {
      const { events } = snapshot.run.summary ?? {};
      const said = { running: "The stores trade.", stopping: "The run is stopping.", stopped: "The run was stopped.", failed: `The run failed. ${snapshot.run.problem?.message ?? ""}`, done: `The run is done: ${events ?? 0} events.` }[now.run];
      if (said) announce(said);
    }
  });
}

function View({ route, ...rest }) {
  const [views, setViews] = useState({});
  const [failed, setFailed] = useState(null);
  const [broken, mend] = useErrorBoundary((fault) => console.error(fault));
  useEffect(() => {
    setFailed(null);
    mend();
    if (views[route.view]) return;
    VIEWS[route.view].load().then(
      (Component) => setViews((known) => ({ ...known, [route.view]: Component })),
      (fault) => { console.error(fault); setFailed(route.view); },
    );
  }, [route.view]);
  if (broken || failed === route.view) {
    return html`<div class="empty"><strong>This view failed.</strong>Load the page again; what went wrong stands in the browser's console.</div>`;
  }
  const Component = views[route.view];
  return Component ? html`<${Component} key=${route.view} route=${route} ...${rest} />` : html`<p class="empty" aria-busy="true">Loading…</p>`;
}

function App() {
  const route = useRoute();
  const [theme, onTheme] = useTheme();
  const [snapshot, connection] = useSnapshots();
  const [news, setNews] = useState("");
  const announce = useCallback(setNews, []);
  const main = useRef(null);
  const opened = useRef(route.view);
  useNews({ snapshot, connection }, announce);
  useEffect(() => {
    document.title = `${VIEWS[route.view].title} · Inventory workshop`;
    if (opened.current !== route.view) {
      opened.current = route.view;
      main.current.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }, [route.view]);
  return html`
    <${Masthead} view=${route.view} snapshot=${snapshot} connection=${connection} theme=${theme} onTheme=${onTheme} />
    <${Banners} snapshot=${snapshot} connection=${connection} />
    <main id="view" tabindex="-1" ref=${main}>
      <${View} route=${route} snapshot=${snapshot} theme=${theme} announce=${announce} />
    </main>
    <div class="visually-hidden" role="status" aria-live="polite">${news}</div>`;
}

// "Skip to the content" would otherwise be taken for a route.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("view").focus();
});
render(html`<${App} />`, document.getElementById("app"));
