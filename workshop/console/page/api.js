// How the page asks its server: JSON in and out, one kind of error, and a hook that fetches a part anew when its version grows.
import { useEffect, useRef, useState } from "/page/vendor/htm-preact.js";

/** What the server refused or could not do, as a sentence, with the next step; `line` and `column` when a statement is at fault. */
export class Refused extends Error {
  constructor({ type = "Error", message, next_step = "", line = null, column = null }, status = 0) {
    super(message);
    Object.assign(this, { type, next_step, line, column, status });
  }
}

const UNREACHABLE = {
  type: "Unreachable",
  message: "The page's server does not answer.",
  next_step: "Start it with: python3 -m workshop console",
};

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Refused(UNREACHABLE);
  }
  if (response.ok) return response;
  const document = await response.json().catch(() => ({}));
  throw new Refused(document.error ?? { message: `The server answered ${response.status}.` }, response.status);
}

export const get = async (path, { signal } = {}) => (await answer(path, { signal })).json();

export const getBytes = async (path, { signal } = {}) => (await answer(path, { signal })).arrayBuffer();

export const post = async (path, body = {}, { signal } = {}) =>
  (await answer(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal })).json();

const LEAST_PAUSE = 1000;

/**
 * Fetch `path` now and whenever `version` grows, at most once a second, and return {data, fault, loading, again}.
 * A fetch under way is finished before the next: versions that grow faster than the answers come starve nobody.
 * The last data stay while new ones are fetched or when that fails, and go when the path changes. No path, no request.
 */
export function usePart(path, version = 0, fetchPart = get) {
  const [state, setState] = useState({ path, data: null, fault: null, loading: Boolean(path) });
  const ask = useRef(() => {});
  useEffect(() => {
    if (!path) return undefined;
    const leaving = new AbortController();
    let timer = null;
    let begun = -LEAST_PAUSE;
    let busy = false;
    let wanted = false;
    const fetchNow = async () => {
      timer = null;
      busy = true;
      begun = performance.now();
      setState((before) => (before.path === path ? { ...before, loading: true } : { path, data: null, fault: null, loading: true }));
      try {
        const data = await fetchPart(path, { signal: leaving.signal });
        if (!leaving.signal.aborted) setState({ path, data, fault: null, loading: false });
      } catch (fault) {
        if (!leaving.signal.aborted) setState((before) => ({ ...before, fault, loading: false }));
      }
      busy = false;
      if (wanted) ask.current();
    };
    ask.current = () => {
      wanted = busy;
      if (busy || timer !== null || leaving.signal.aborted) return;
      timer = setTimeout(fetchNow, Math.max(0, begun + LEAST_PAUSE - performance.now()));
    };
    return () => { clearTimeout(timer); leaving.abort(); };
  }, [path]);
  useEffect(() => { if (path) ask.current(); }, [path, version]);
  const shown = state.path === path ? state : { path, data: null, fault: null, loading: Boolean(path) };
  return { ...shown, again: () => ask.current() };
}
