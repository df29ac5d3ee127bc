// The start page: suggestions, recent searches and the newest photos. And what is known about all
// photos, which is also below the results.
import * as config from "./config.js"; // SUGGESTIONS may be missing
import { NOTHING, address, describe, parameters, parse, plus } from "./query.js";
import { ask, button, element, isolated, said, say } from "./search.js";

const RECENT = "clipsearch.recent"; // in localStorage: the addresses of the last searches
const MAX_RECENT = 8;
const DEMO_MODEL = "clipsearch-demo";
const POLL_MS = 3000; // between two looks while indexing goes on
const MAX_POLLS = 100; // without a change; then stop

const $ = (selector) => document.querySelector(selector);
const start = $("#start");

function link(query, text) {
  const node = element("a", text);
  node.dir = "auto";
  node.href = address(query);
  return element("li", "", node);
}

export function showStart(isVisible) {
  start.hidden = !isVisible;
  const recent = recents();
  $("#recent").hidden = !recent.length;
  $("#recent ul").replaceChildren(...recent.map((it) => link(parse(it), describe(parse(it)))));
}

const suggestions = config.SUGGESTIONS ?? [];
$("#suggestions").hidden = !suggestions.length;
$("#suggestions ul").replaceChildren(...suggestions.map((text) => link(plus(NOTHING, "q", text), text)));

// --- recent searches

function recents() {
  try {
    return JSON.parse(localStorage.getItem(RECENT)) ?? [];
  } catch {
    return []; // storage is forbidden or holds something else
  }
}

function store(recent) {
  try {
    localStorage.setItem(RECENT, JSON.stringify(recent));
  } catch {
    // storage is forbidden or full: no recent searches
  }
}

// A search by a picture is left out: its address is long, and only you know what it showed.
export function remember(query) {
  if (query.terms.some(({ kind }) => kind === "picture") || !query.terms.length) return;
  const mine = `?${parameters(query)}`;
  store([mine, ...recents().filter((it) => it !== mine)].slice(0, MAX_RECENT));
}

$("#recent button").addEventListener("click", () => {
  store([]);
  showStart(true);
  $("#words").focus();
});

// --- about the photos

const many = (n, one, more) => (n ? `${n.toLocaleString("en")} ${n === 1 ? one : more}` : "");

// "312 of 3,000 photos indexed, 4 min left", or "3,000 photos can be searched."
function progress({ indexed, pending }, since) {
  if (!indexed && !pending) {
    const to = config.PHOTOS ? ` to ${config.PHOTOS}` : "";
    return `No photos yet. Add some${to}; they appear here within seconds.`;
  }
  if (!pending) return `${many(indexed, "photo", "photos")} can be searched.`;
  const rate = (indexed - since.indexed) / (Date.now() - since.time); // photos per millisecond
  const minutes = Math.ceil(pending / rate / 60_000);
  const left = rate > 0 ? `, ${minutes === 1 ? "less than a minute" : `${minutes} min`} left` : "";
  return `${indexed.toLocaleString("en")} of ${many(indexed + pending, "photo", "photos")} indexed${left}`;
}

// Shows the JSON of /status below the photos.
function showAbout(state) {
  const { model, photos, updated, reconciled, refused_model: refused, damaged = [] } = state;
  const style = { dateStyle: "medium", timeStyle: "short" };
  const when = (time) => new Date(time).toLocaleString("en", style);
  const files = state.files ?? photos.objects;
  const at = state.files || !reconciled ? "" : ` on ${when(reconciled.at)}`;
  const facts = [
    many(photos.indexed, "photo", "photos") || "No photos",
    model === DEMO_MODEL && "demo model: knows drawn scenes only",
    many(photos.failed, "photo could not be read", "photos could not be read"),
    many(photos.skipped, "other file skipped", "other files skipped"),
    damaged.length > 0 && "damaged",
    updated && `updated ${when(updated)}`,
  ];
  $("#about summary").textContent = facts.filter(Boolean).join(" · "); // a phone cuts the end
  const lines = [
    files && `${many(files, "file", "files")} in ${config.PHOTOS || "the bucket"}${at}`,
    photos.pending > 0 && `${photos.pending.toLocaleString("en")} waiting to be indexed`,
    refused && `A new model (${refused.space}) cannot be used: ${refused.reason}`,
    ...damaged.map((it) => `Damaged: ${it.object}: ${it.reason}`),
    ...state.failures.map((it) => ["Cannot be indexed: ", ...isolated(it.name), `: ${it.reason}`]),
    "Technical details:",
    `Model ${model}, space ${state.space}`,
    state.version && `clipsearch ${state.version}`,
  ];
  $("#about ul").replaceChildren(...lines.filter(Boolean).map((line) => element("li", "", ...[line].flat())));
}

// What the server of this page knows: it is newer than the last reconcile.
async function addProgress(state, isFirst) {
  if (!config.PROGRESS) return;
  const asked = () => fetch("progress.json").then((it) => it.json()).catch(() => null);
  const known = isFirst ? config.PROGRESS : await asked();
  if (!known) return;
  state.files = known.files;
  state.photos.pending = known.waiting;
}

// Asks for the status, and again while indexing goes on. `tell` gets the line about the photos and
// whether there are new ones.
async function watch(tell) {
  const since = { time: Date.now() };
  let [last, wasPending] = [null, false];
  for (let polls = 0; polls < MAX_POLLS; polls++) {
    const state = await ask("/status", { tell: (line, isError) => tell(line, { isError }) });
    await addProgress(state, last === null);
    const { indexed, pending } = state.photos;
    since.indexed ??= indexed;
    showAbout(state);
    tell(progress(state.photos, since), { hasNew: last !== null && indexed !== last });
    if (indexed !== last) polls = 0;
    last = indexed;
    if (!pending && indexed && !wasPending) return; // search reads the last ones a moment later
    wasPending = pending > 0;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (document.hidden) {
      await new Promise((resolve) => addEventListener("visibilitychange", resolve, { once: true }));
    }
  }
}

// --- the status line of the start page

let welcome = [""]; // parts, and whether it is an error
let greeting = ""; // its text, if it was said

export function sayWelcome() {
  say(...welcome);
  greeting = said();
}

// Requesting the status starts the function while the visitor types. `isHere`: whether this is the
// start page. `isWaiting`: whether newer photos may take the place of those on it. `renew`: shows
// the newest photos.
export function follow({ isHere, isWaiting, renew }) {
  const greet = (line, { isError, hasNew } = {}) => {
    clearTimeout(waking);
    const isGreeted = said() === greeting; // keep a newer line
    welcome = [line, isError];
    if (!isHere()) return;
    if (isGreeted) sayWelcome();
    if (hasNew && isWaiting()) renew();
  };
  const begin = () => watch(greet).catch((error) => {
    const retry = button("Retry", () => {
      greet("Starting up…");
      begin();
      if (isHere()) renew();
    });
    greet([error.message, " ", retry], { isError: true });
  });
  const waking = setTimeout(() => greet("Starting up…"), 1000);
  begin();
}
