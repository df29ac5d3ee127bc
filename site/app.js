// The page: calls the search function and shows the results. The URL holds the search, so every
// search is a link. Text from outside is only inserted as text, never as HTML.
import * as config from "./config.js"; // SUGGESTIONS may be missing

const WAKING_AFTER_MS = 2000;
const TRIES = 5; // then stop, so that a forgotten page does not keep the function awake
const UNREACHABLE_RETRY = 2; // seconds; an overloaded cloud answers 429 without CORS headers
const MAX_PICTURE = 20_000_000; // bytes, the limit of search
const TOO_LARGE = "The picture is too large. Choose one of at most 20 MB.";
// Pixels. Models see at most about 400, so larger pictures are scaled down before the upload.
const SHORTER_SIDE = 512;
const SMALL_PICTURE = 150_000; // bytes; such files are uploaded unchanged
const DEMO_MODEL = "clipsearch-demo";
const MAX_REMEMBERED = 1000; // results in the browser's history, half a KB each

const $ = (selector) => document.querySelector(selector);
const form = $("#search");
const words = $("#words");
const chosen = $("#chosen");
const status = $("#status");
const suggestions = $("#suggestions");
const results = $("#results");
const more = $("#more");
const viewer = $("#viewer");

let running = null; // the AbortController of the present request; a new request aborts it
let query = {}; // the search on the page: q, picture or like
let shown = []; // the results on the page, in order
let cursor = null; // of the next page of results
let welcome = ""; // the status line when there is no search
let matches = null; // {count, estimated} of the first page's answer; null if unknown
let viewed = 0; // index in `shown` of the photo in the viewer
const previews = new Map(); // picture (as in the URL) → {url, name}, for pictures chosen here

// --- the search function

// Returns the JSON of `path`. Retries transient errors; `tell` shows that it waits.
async function ask(path, { signal, tell, ...init }) {
  for (let tries = 1; ; tries++) {
    const response = await fetch(config.SEARCH_URL + path, { ...init, signal }).catch(() => null);
    const body = await response?.json().catch(() => null);
    signal.throwIfAborted();
    if (response?.ok && body) return body;
    const isOffline = !response && !navigator.onLine;
    const wait = response ? Number(response.headers.get("Retry-After")) : UNREACHABLE_RETRY;
    if (isOffline) {
      tell("You are offline. The search continues when you are back online.", true);
      await pause(86_400, signal);
    } else if (wait > 0 && tries < TRIES && (response || tries < 2)) {
      tell(`${wrong(response, body)} Trying again in ${wait} s…`);
      await pause(wait, signal);
    } else {
      throw new Error(wrong(response, body));
    }
  }
}

function wrong(response, problem) {
  if (!response) return "Search is not reachable right now.";
  if (response.status === 413) return TOO_LARGE;
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

// `parts`: texts, or nodes from isolated().
function say(parts, isError = false) {
  status.replaceChildren(...[parts].flat());
  status.classList.toggle("error", isError);
}

// `text` in quotes, with its own writing direction.
function isolated(text) {
  const node = document.createElement("bdi");
  node.textContent = text;
  return ["“", node, "”"];
}

// Runs `work` with the options of `ask`, then `show` unless a newer request has started.
async function attempt(doing, work, show, failed = () => {}) {
  running?.abort();
  const mine = (running = new AbortController());
  const tell = (...said) => mine.signal.aborted || say(...said);
  const waking = () => tell("Starting up… The first search after a break takes a few seconds.");
  const slow = setTimeout(waking, WAKING_AFTER_MS);
  say(doing);
  results.setAttribute("aria-busy", "true");
  try {
    show(await work({ signal: mine.signal, tell })); // ask() throws if aborted
  } catch (error) {
    tell(error.message, true);
    if (!mine.signal.aborted) failed();
  } finally {
    clearTimeout(slow);
    if (running === mine) stop();
  }
}

function stop() {
  running?.abort();
  running = null;
  results.setAttribute("aria-busy", "false");
}

// --- searches and their URLs

function addressOf(asked) {
  const given = Object.entries(asked).filter(([, value]) => value);
  return "?" + new URLSearchParams(given);
}

// Starts a search. Repeating the present search runs it again without a new history entry.
function go(asked) {
  remember();
  const address = addressOf(asked);
  if (address === addressOf(query)) history.replaceState(null, "");
  else history.pushState(null, "", address === "?" ? location.pathname : address);
  visit();
}

const isForNewTab = (event) => event.ctrlKey || event.metaKey || event.shiftKey;

// Turns `link` into a link to this search.
function leadTo(link, asked) {
  link.href = addressOf(asked);
  link.addEventListener("click", (event) => {
    if (isForNewTab(event)) return;
    event.preventDefault();
    go(asked);
  });
}

// Shows the search of the present URL, from the history entry if that has results.
function visit() {
  const given = new URLSearchParams(location.search);
  const [picture, like] = [given.get("picture"), given.get("like")];
  query = like ? { like } : { q: given.get("q")?.trim(), picture };
  const { q } = query;
  words.value = q ?? "";
  choose(query.picture);
  if (viewer.open) viewer.close();
  more.hidden = true;
  const subject = q || like || (picture && "a picture");
  suggestions.hidden = Boolean(subject) || !suggestions.children.length;
  document.title = subject ? `${subject} · clipsearch` : "clipsearch";
  const remembered = history.state;
  if (remembered?.results) {
    stop();
    replace(remembered);
    scrollTo({ top: remembered.place });
    results.children[remembered.focused]?.querySelector("a").focus({ preventScroll: true });
  } else if (subject) {
    const asked = "/" + addressOf(query);
    attempt("Searching…", (how) => ask(asked, how), (answer) => {
      const hadFocus = results.contains(document.activeElement);
      replace(answer);
      scrollTo({ top: 0 });
      if (hadFocus) results.querySelector("a")?.focus({ preventScroll: true });
    }, clear);
  } else {
    stop();
    clear();
    say(welcome);
  }
}

// Saves scroll position and focused result in the history entry, beside the results.
function remember() {
  const focused = [...results.children].findIndex((card) => card.contains(document.activeElement));
  history.replaceState({ ...history.state, place: scrollY, focused }, "");
}

function searchMore() {
  const asked = "/" + addressOf({ ...query, cursor });
  const isFocused = document.activeElement === more;
  attempt("Loading more…", (how) => ask(asked, how), (answer) => {
    const first = shown.length;
    add(answer);
    if (isFocused) results.children[first]?.querySelector("a").focus();
  }, () => more.classList.remove("unseen"));
}

function clear() {
  shown = [];
  matches = null;
  cursor = null;
  results.replaceChildren();
}

function replace(answer) {
  clear();
  add(answer);
}

// A photo that was overwritten between two pages may come twice; show it once.
function add(answer) {
  const names = new Set(shown.map((result) => result.name));
  const fresh = answer.results.filter((result) => !names.has(result.name));
  results.append(...fresh.map(card));
  shown.push(...fresh);
  matches ??= answer.matches; // later pages have null
  cursor = answer.next_cursor;
  more.hidden = !cursor;
  more.classList.add("unseen");
  say([...found(), answer.truncated ? " The text was too long and was cut." : ""]);
  const remembered = { ...answer, matches, results: shown };
  history.replaceState(shown.length <= MAX_REMEMBERED ? remembered : null, "");
  remember();
  atEnd.disconnect();
  if (cursor) atEnd.observe($("#end")); // reports at once if the end is near
}

function found() {
  const { q, picture, like } = query;
  const and = q && picture ? " and " : "";
  const asked = [...(q || like ? isolated(q || like) : []), and, picture ? "your picture" : ""];
  if (matches?.count === 0) {
    return ["Nothing matches ", ...asked, ` well.${shown.length ? " Closest photos:" : ""}`];
  }
  return [counted(), ...asked, "."];
}

function counted() {
  if (!matches) {
    return shown.length === 1 ? "1 photo like " : `${shown.length || "No"} photos like `;
  }
  const number = `${matches.estimated ? "About " : ""}${matches.count.toLocaleString("en")}`;
  return `${number} good ${matches.count === 1 ? "match" : "matches"} for `;
}

const atEnd = new IntersectionObserver(([end]) => {
  const hasFailed = !more.classList.contains("unseen");
  if (end.isIntersecting && cursor && !running && !hasFailed) searchMore();
}, { rootMargin: "800px" });

// --- results

// Shows the thumbnail, or the photo if the thumbnail fails to load.
function showIn(image, result) {
  image.alt = result.name;
  image.onerror = () => {
    image.onerror = null;
    image.src = result.url;
  };
  image.src = result.thumbnail_url;
}

function card(result) {
  const item = $("#result").content.cloneNode(true).firstElementChild;
  const image = item.querySelector("img");
  const [link, like] = item.querySelectorAll("a");
  link.href = result.url;
  link.addEventListener("click", (event) => {
    if (isForNewTab(event)) return;
    event.preventDefault();
    view(shown.indexOf(result));
    viewer.showModal();
  });
  if (result.width && result.height) {
    image.width = result.width;
    image.height = result.height;
  }
  showIn(image, result);
  const name = item.querySelector(".name");
  name.textContent = name.title = result.name;
  item.querySelector(".similarity").textContent = result.similarity?.toFixed(1) ?? "";
  like.setAttribute("aria-label", `More like this: ${result.name}`);
  leadTo(like, { like: result.name });
  return item;
}

// --- the viewer

function view(number) {
  if (!shown[number]) return;
  viewed = number;
  const result = shown[number];
  const image = viewer.querySelector("img");
  fit(image, result.width || 640, result.height || 480);
  showIn(image, result);
  const full = new Image(); // if the browser cannot show the photo, the thumbnail stays
  full.onload = () => shown[viewed] === result && (image.src = result.url);
  full.src = result.url;
  $("#viewed").textContent = result.name;
  const { similarity } = result; // null for words with a picture
  viewer.querySelector(".similarity").textContent =
    similarity === null ? "" : `Similarity ${similarity.toFixed(1)}`;
  viewer.querySelector("a").href = result.url;
  $("#copied").textContent = "";
  if (number > shown.length - 4 && cursor && !running) searchMore();
}

// Fits the image to the window, with equal size for the thumbnail and the photo that replaces it.
function fit(image, width, height) {
  const scale = Math.min(1, (0.65 * innerHeight) / height);
  image.width = Math.round(width * scale);
  image.height = Math.round(height * scale);
}

// Focuses the photo viewed last; the browser would focus the one that was opened first.
function leave() {
  viewer.close();
  results.children[viewed]?.querySelector("a").focus();
}

const COMMANDS = {
  previous: () => view(viewed - 1),
  next: () => view(viewed + 1),
  like: () => go({ like: shown[viewed].name }),
  close: leave,
  async copy() {
    const { url } = shown[viewed];
    const copied = await navigator.clipboard?.writeText(url).then(() => true, () => false);
    $("#copied").textContent = copied ? "Link copied." : `Copy this link yourself: ${url}`;
  },
};

viewer.addEventListener("click", (event) => {
  if (event.target === viewer) leave(); // a click on the backdrop
  COMMANDS[event.target.dataset.does]?.();
});
viewer.addEventListener("keydown", (event) => {
  const last = shown.length - 1;
  const to = { ArrowLeft: viewed - 1, ArrowRight: viewed + 1, Home: 0, End: last }[event.key];
  if (to !== undefined) view(to);
  if (event.key !== "Escape") return;
  event.preventDefault();
  leave();
});

// --- pictures to search by

function choose(picture) {
  const preview = previews.get(picture);
  const image = chosen.querySelector("img");
  chosen.hidden = !picture;
  image.hidden = !preview;
  if (preview) image.src = preview.url;
  chosen.querySelector("bdi").textContent = preview?.name ?? "A picture";
}

// Scales `file` down to a JPEG, if that makes it smaller and this browser can read it.
async function scaled(file) {
  if (file.size <= SMALL_PICTURE) return file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return file;
  const scale = Math.min(1, SHORTER_SIDE / Math.min(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // white background, as in search
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  return blob && blob.size < file.size ? blob : file;
}

const isNoPicture = (file) => file.type && !file.type.startsWith("image/");

// Searches by the first picture among `files`.
function searchBy(files) {
  const file = [...files].find((it) => !isNoPicture(it)) ?? files[0];
  if (isNoPicture(file)) {
    say([...isolated(file.name), " is not a picture."], true);
    return;
  }
  attempt("Reading the picture…", async (how) => {
    const image = await scaled(file);
    if (image.size > MAX_PICTURE) throw new Error(TOO_LARGE);
    const body = new FormData();
    body.append("image", image, file.name);
    const answer = await ask("/embed", { ...how, method: "POST", body });
    previews.set(answer.picture, { url: URL.createObjectURL(image), name: file.name });
    return answer.picture;
  }, (picture) => go({ q: words.value.trim(), picture }));
}

for (const input of [$("#picture"), $("#camera")]) {
  input.addEventListener("change", () => {
    if (input.files.length) searchBy(input.files);
    input.value = ""; // so that the same picture can be chosen again
  });
}
addEventListener("paste", (event) => {
  const { files } = event.clipboardData;
  const isText = event.target === words && event.clipboardData.getData("text/plain");
  if (!files.length || isText) return;
  event.preventDefault();
  searchBy(files);
});
const isForField = (event) => event.target === words && !event.dataTransfer.types.includes("Files");
addEventListener("dragover", (event) => {
  if (isForField(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  if (isForField(event)) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  const { files } = event.dataTransfer;
  if (files.length) searchBy(files);
  else say("Only files can be dropped here. Save the picture first.", true);
});
// hide the preview if the browser cannot show the picture; the search function may still read it
chosen.querySelector("img").addEventListener("error", (event) => (event.target.hidden = true));
chosen.querySelector("button").addEventListener("click", () => {
  $("#picture").focus();
  go({ q: words.value.trim() });
});

// --- the form and the facts about the photos

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = { q: words.value.trim(), picture: query.picture };
  if (!asked.q && !asked.picture) {
    say("Type what you are looking for, or choose a picture.", true);
    return;
  }
  if (matchMedia("(pointer: coarse)").matches) words.blur(); // the keyboard would hide the results
  go(asked);
});
// On the first key, load the text tower, so that it is ready for the search.
const wake = () => fetch(`${config.SEARCH_URL}/embed?q=a`).then((answer) => answer.text());
words.addEventListener("input", () => wake().catch(() => null), { once: true });
more.addEventListener("click", searchMore);
addEventListener("popstate", visit);
// The browser would restore the scroll position before the results exist.
history.scrollRestoration = "manual";
for (const left of ["scrollend", "pagehide"]) addEventListener(left, remember);

function item(parts) {
  const node = document.createElement("li");
  node.append(...parts);
  return node;
}

// Shows the JSON of /status. Returns the number of photos as text.
function showAbout(state) {
  const { model, photos, updated, reconciled, refused_model: refused, damaged = [] } = state;
  const day = { dateStyle: "medium", timeStyle: "short" };
  const when = (time) => new Date(time).toLocaleString("en", day);
  const count = (n, what) => n && `${n.toLocaleString("en")} ${what}`;
  const indexed = photos.indexed === 1 ? "1 photo" : count(photos.indexed, "photos") || "No photos";
  const failed = photos.failed === 1
    ? "1 photo could not be read"
    : count(photos.failed, "photos could not be read");
  const skipped = photos.skipped === 1
    ? "1 other file skipped"
    : count(photos.skipped, "other files skipped");
  const isDamaged = damaged.length > 0 && "damaged";
  const isDemo = model === DEMO_MODEL && "demo model: knows drawn scenes only";
  const name = !isDemo && model;
  const changed = updated && `updated ${when(updated)}`;
  const facts = [indexed, isDemo, failed, skipped, isDamaged, name, changed];
  $("#about summary").textContent = facts.filter(Boolean).join(" · "); // a phone cuts the end
  const lines = [
    `Model ${model}, space ${state.space}`,
    state.version && `clipsearch ${state.version}`,
    updated && `Last change ${when(updated)}`,
    reconciled && `${photos.objects} files in the bucket on ${when(reconciled.at)}`,
    count(photos.pending, "waiting to be indexed"),
    refused && `A new model (${refused.space}) cannot be used: ${refused.reason}`,
    ...damaged.map((it) => `Damaged: ${it.object}: ${it.reason}`),
    ...state.failures.map((it) => ["Cannot be indexed: ", ...isolated(it.name), `: ${it.reason}`]),
  ];
  $("#about ul").replaceChildren(...lines.filter(Boolean).map((line) => item([line].flat())));
  return indexed;
}

suggestions.replaceChildren(...(config.SUGGESTIONS ?? []).map((text) => {
  const link = document.createElement("a");
  link.textContent = text;
  link.dir = "auto";
  leadTo(link, { q: text });
  return item([link]);
}));

const [navigation] = performance.getEntriesByType("navigation");
if (navigation?.type === "reload") history.replaceState(null, ""); // a reload searches again
visit();
if (!location.search) words.focus(); // the autofocus attribute would scroll
// Requesting the status starts the function while the visitor types.
function greet(text, isError) {
  clearTimeout(waking);
  const isGreeted = status.textContent === welcome; // keep a newer error
  welcome = text;
  if (isGreeted && addressOf(query) === "?" && !running) say(text, isError);
}
const waking = setTimeout(() => greet("Starting up…"), WAKING_AFTER_MS / 2);
ask("/status", { signal: new AbortController().signal, tell: greet }).then(
  (state) => greet(`${showAbout(state)} can be searched.`),
  (error) => greet(error.message, true),
);
