// Requests to the search function, and the status line that says how they go.
import { SEARCH_URL } from "./config.js";

const WAKING_AFTER_MS = 2000;
const TRIES = 5; // then stop, so that a forgotten page does not keep the function awake
const UNREACHABLE_RETRY = 2; // seconds; an overloaded cloud answers 429 without CORS headers
export const TOO_LARGE = "The picture is too large. Choose one of at most 20 MB.";

const status = document.querySelector("#status");
const results = document.querySelector("#results");
let running = null; // the AbortController of the present request; a new request aborts it

export const isRunning = () => Boolean(running);

// Returns the JSON of `path`. Retries transient errors; `tell` shows that it waits.
export async function ask(path, { signal = new AbortController().signal, tell = () => {}, ...init } = {}) {
  for (let tries = 1; ; tries++) {
    const headers = { Accept: "application/json" };
    const response = await fetch(SEARCH_URL + path, { headers, ...init, signal }).catch(() => null);
    const body = await response?.json().catch(() => null);
    signal.throwIfAborted();
    if (response?.ok && body) return located(body, response.url);
    const isOffline = !response && !navigator.onLine;
    const isTransient = !response || response.status === 429;
    const told = Number(response?.headers.get("Retry-After"));
    const wait = told || (isTransient && UNREACHABLE_RETRY);
    if (isOffline) {
      tell("You are offline. The search continues when you are back online.", true);
      await pause(86_400, signal);
    } else if (wait > 0 && tries < TRIES && (response || tries < 2)) {
      tell(`${wrong(response, body)} Trying again in ${wait} s…`);
      await pause(wait, signal);
    } else {
      throw Object.assign(new Error(wrong(response, body)), { status: response?.status });
    }
  }
}

// URLs of photos may be relative to the URL of the request.
function located(answer, base) {
  for (const result of answer.results ?? []) {
    for (const name of ["url", "thumbnail_url"]) result[name] = new URL(result[name], base).href;
  }
  return answer;
}

function wrong(response, problem) {
  if (!response) return "Search is not reachable right now.";
  if (response.status === 413) return TOO_LARGE;
  if (response.status === 429 && !problem?.detail) return "Too many people are searching right now.";
  if (!problem?.detail) return `The search failed (${response.status}).`;
  const text = problem.detail;
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// Waits for `seconds` or until the network is back. Rejects when `signal` aborts.
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, 1000 * seconds);
    addEventListener("online", resolve, { once: true, signal });
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

// --- the status line

// `parts`: texts, or nodes from isolated() and button().
export function say(parts, isError = false) {
  status.replaceChildren(...[parts].flat());
  status.classList.toggle("error", isError);
}

export const said = () => status.textContent;

// `text` in quotes, with its own writing direction.
export const isolated = (text) => ["“", element("bdi", text), "”"];

export function element(tag, text = "", ...children) {
  const node = document.createElement(tag);
  node.textContent = text;
  node.append(...children);
  return node;
}

export function button(text, does) {
  const node = element("button", text);
  node.type = "button";
  node.addEventListener("click", does);
  return node;
}

// Runs `work` with the options of `ask`, then `show` unless a newer request has started.
// `tell` gets the lines on the way. `failed` gets the error and a function that tries again.
export async function attempt(work, show, { doing, tell = say, failed = failure } = {}) {
  running?.abort();
  const mine = (running = new AbortController());
  const told = (...line) => mine.signal.aborted || tell(...line);
  const waking = () => told("Starting up… The first search after a break takes a few seconds.");
  const slow = setTimeout(waking, WAKING_AFTER_MS);
  if (doing) tell(doing);
  results.setAttribute("aria-busy", "true");
  results.classList.toggle("leaving", tell === say);
  try {
    show(await work({ signal: mine.signal, tell: told })); // ask() throws if aborted
  } catch (error) {
    if (mine.signal.aborted) return;
    failed(error, () => attempt(work, show, { doing, tell, failed }));
  } finally {
    clearTimeout(slow);
    if (running === mine) stop();
  }
}

// Says what went wrong, with Retry unless the request itself is wrong.
export function failure(error, again) {
  const isFinal = error.status >= 400 && error.status < 429;
  say(isFinal || !error.message ? error.message : [error.message, " ", button("Retry", again)], true);
}

export function stop() {
  running?.abort();
  running = null;
  results.setAttribute("aria-busy", "false");
  results.classList.remove("leaving");
}
