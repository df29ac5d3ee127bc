// The page: asks the search function and shows its answers. The address holds the search, so
// that every search is a link. Text from outside goes into the page as text only.
import * as config from "./config.js"; // SUGGESTIONS may be missing

const WAKING_AFTER_MS = 2000;
const TRIES = 5; // then a person decides: a forgotten page must not keep the function awake
const UNREACHABLE_RETRY = 2; // seconds; the cloud turns away what is too much without CORS headers
const MAX_PICTURE = 20_000_000; // bytes, as search has it
const TOO_LARGE = "The picture is too large: it may have 20 MB.";
// A model sees at most some 400 pixels, so that is what is sent; small files go as they are.
const SHORTER_SIDE = 512;
const SMALL_PICTURE = 150_000; // bytes
const DEMO_MODEL = "clipsearch-demo"; // whoever searches photographs with it must know
const MAX_REMEMBERED = 1000; // results, each half a KB in the browser's history

const $ = (selector) => document.querySelector(selector);
const form = $("#search");
const words = $("#words");
const chosen = $("#chosen");
const status = $("#status");
const suggestions = $("#suggestions");
const results = $("#results");
const more = $("#more");
const viewer = $("#viewer");

let running = null; // the AbortController of what is being asked; who asks anew aborts it
let query = {}; // what the page shows: q, picture and like, those that are asked
let shown = []; // the results on the page, in order
let cursor = null; // where the next part starts
let welcome = ""; // what is said when nothing is asked
let viewed = 0; // which of `shown` the viewer shows
const previews = new Map(); // picture (as in the address) → {url, name}, of those chosen here

// --- the search function

// The answer to `path`. What passes by itself is waited for, with `tell` saying so.
async function ask(path, { signal, tell, ...init }) {
  for (let tries = 1; ; tries++) {
    const response = await fetch(config.SEARCH_URL + path, { ...init, signal }).catch(() => null);
    const body = await response?.json().catch(() => null);
    signal.throwIfAborted();
    if (response?.ok && body) return body;
    const isOffline = !response && !navigator.onLine;
    const wait = response ? Number(response.headers.get("Retry-After")) : UNREACHABLE_RETRY;
    if (isOffline) {
      tell("You are offline. The search goes on when you are back.", true);
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
  if (!response) return `The search function at ${config.SEARCH_URL} cannot be reached.`;
  if (response.status === 413) return TOO_LARGE;
  if (!problem?.detail) return `The search failed (${response.status}).`;
  const text = problem.detail;
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// `seconds`, or until the network is back; rejects when `signal` aborts.
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, 1000 * seconds);
    addEventListener("online", resolve, { once: true, signal });
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

// --- one text per state

// `parts` are texts, and nodes as isolated() makes them.
function say(parts, isError = false) {
  status.replaceChildren(...[parts].flat());
  status.classList.toggle("error", isError);
}

// `text` in quotes, with its own direction of writing.
function isolated(text) {
  const node = document.createElement("bdi");
  node.textContent = text;
  return ["“", node, "”"];
}

// Runs `work` with what `ask` takes; its answer goes to `show`, unless something newer was asked.
async function attempt(doing, work, show, failed = () => {}) {
  running?.abort();
  const mine = (running = new AbortController());
  const tell = (...said) => mine.signal.aborted || say(...said);
  const waking = () => tell("Waking up… the first search after a pause takes a moment.");
  const slow = setTimeout(waking, WAKING_AFTER_MS);
  say(doing);
  results.setAttribute("aria-busy", "true");
  try {
    show(await work({ signal: mine.signal, tell })); // ask() throws when it was aborted
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

// --- searches and their addresses

function addressOf(asked) {
  const given = Object.entries(asked).filter(([, value]) => value);
  return "?" + new URLSearchParams(given);
}

// A search by the visitor. The same one again is asked again, but is no new entry in the history.
function go(asked) {
  remember();
  const address = addressOf(asked);
  if (address === addressOf(query)) history.replaceState(null, "");
  else history.pushState(null, "", address === "?" ? location.pathname : address);
  visit();
}

const isForNewTab = (event) => event.ctrlKey || event.metaKey || event.shiftKey;

// Makes `link` one to this search.
function leadTo(link, asked) {
  link.href = addressOf(asked);
  link.addEventListener("click", (event) => {
    if (isForNewTab(event)) return;
    event.preventDefault();
    go(asked);
  });
}

// Shows the search of the present address; its answer may be remembered with the history.
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

// With the answer in the history: where the page is scrolled to, and which result has the focus.
function remember() {
  const focused = [...results.children].findIndex((card) => card.contains(document.activeElement));
  history.replaceState({ ...history.state, place: scrollY, focused }, "");
}

function searchMore() {
  const asked = "/" + addressOf({ ...query, cursor });
  const isFocused = document.activeElement === more;
  attempt("Searching for more…", (how) => ask(asked, how), (answer) => {
    const first = shown.length;
    add(answer);
    if (isFocused) results.children[first]?.querySelector("a").focus();
  }, () => more.classList.remove("unseen"));
}

function clear() {
  shown = [];
  cursor = null;
  results.replaceChildren();
}

function replace(answer) {
  clear();
  add(answer);
}

// A photo that was overwritten between two parts may come again; it is shown once.
function add(answer) {
  const names = new Set(shown.map((result) => result.name));
  const fresh = answer.results.filter((result) => !names.has(result.name));
  results.append(...fresh.map(card));
  shown.push(...fresh);
  cursor = answer.next_cursor;
  more.hidden = !cursor;
  more.classList.add("unseen");
  say([...found(), answer.truncated ? " The text was too long and was cut." : ""]);
  history.replaceState(shown.length <= MAX_REMEMBERED ? { ...answer, results: shown } : null, "");
  remember();
  atEnd.disconnect();
  if (cursor) atEnd.observe($("#end")); // says at once whether it is near
}

function found() {
  const { q, picture, like } = query;
  const photos = shown.length === 1 ? "1 photo" : `${shown.length || "No"} photos`;
  const asked = q || like ? isolated(q || like) : [];
  const and = q && picture ? " and " : "";
  return [`${photos} like `, ...asked, and, picture ? "your picture." : "."];
}

const atEnd = new IntersectionObserver(([end]) => {
  const hasFailed = !more.classList.contains("unseen");
  if (end.isIntersecting && cursor && !running && !hasFailed) searchMore();
}, { rootMargin: "800px" });

// --- results

// Shows the thumbnail or, if there is none, the photo itself.
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
  item.querySelector(".similarity").textContent = result.similarity.toFixed(1);
  like.setAttribute("aria-label", `More like this: ${result.name}`);
  leadTo(like, { like: result.name });
  return item;
}

// --- the larger view

function view(number) {
  if (!shown[number]) return;
  viewed = number;
  const result = shown[number];
  const image = viewer.querySelector("img");
  fit(image, result.width || 640, result.height || 480);
  showIn(image, result);
  const full = new Image(); // not every browser can show every photo: then the thumbnail stays
  full.onload = () => shown[viewed] === result && (image.src = result.url);
  full.src = result.url;
  $("#viewed").textContent = result.name;
  viewer.querySelector(".similarity").textContent = `Similarity ${result.similarity.toFixed(1)}`;
  viewer.querySelector("a").href = result.url;
  $("#copied").textContent = "";
  if (number > shown.length - 4 && cursor && !running) searchMore();
}

// Its size in the window, the same for the thumbnail and for the photo that comes after it.
function fit(image, width, height) {
  const scale = Math.min(1, (0.65 * innerHeight) / height);
  image.width = Math.round(width * scale);
  image.height = Math.round(height * scale);
}

// The browser gives the focus back to the photo that was opened; the one viewed last is better.
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
    $("#copied").textContent = copied ? "The link is copied." : `It could not be copied: ${url}`;
  },
};

viewer.addEventListener("click", (event) => {
  if (event.target === viewer) leave(); // beside it
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

// `file` as a smaller JPEG, if that is worth it and this browser can read it.
async function scaled(file) {
  if (file.size <= SMALL_PICTURE) return file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return file;
  const scale = Math.min(1, SHORTER_SIDE / Math.min(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // what is transparent becomes white, as in search
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  return blob && blob.size < file.size ? blob : file;
}

const isNoPicture = (file) => file.type && !file.type.startsWith("image/");

// By the first picture among `files`.
function searchBy(files) {
  const file = [...files].find((it) => !isNoPicture(it)) ?? files[0];
  if (isNoPicture(file)) {
    say([...isolated(file.name), " is not a picture."], true);
    return;
  }
  attempt("Looking at the picture…", async (how) => {
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
    input.value = ""; // the same picture may be chosen again
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
  else say("Drop a picture that is a file.", true);
});
// a browser may not be able to show what the search function can read
chosen.querySelector("img").addEventListener("error", (event) => (event.target.hidden = true));
chosen.querySelector("button").addEventListener("click", () => {
  $("#picture").focus();
  go({ q: words.value.trim() });
});

// --- the form, and what is said about the photos

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = { q: words.value.trim(), picture: query.picture };
  if (!asked.q && !asked.picture) {
    say("Type what the photos show, or choose a picture.", true);
    return;
  }
  if (matchMedia("(pointer: coarse)").matches) words.blur(); // the keyboard would hide the results
  go(asked);
});
// Who types will search: the model's half for texts may be loaded meanwhile.
const wake = () => fetch(`${config.SEARCH_URL}/embed?q=a`).then((answer) => answer.text());
words.addEventListener("input", () => wake().catch(() => null), { once: true });
more.addEventListener("click", searchMore);
addEventListener("popstate", visit);
// The browser would restore the place before there is enough to scroll.
history.scrollRestoration = "manual";
for (const left of ["scrollend", "pagehide"]) addEventListener(left, remember);

function item(parts) {
  const node = document.createElement("li");
  node.append(...parts);
  return node;
}

// `state` as /status answers; returns how many photos there are.
function showAbout(state) {
  const { model, photos, updated, reconciled, refused_model: refused, damaged = [] } = state;
  const day = { dateStyle: "medium", timeStyle: "short" };
  const when = (time) => new Date(time).toLocaleString("en", day);
  const count = (n, what) => n && `${n.toLocaleString("en")} ${what}`;
  const indexed = photos.indexed === 1 ? "1 photo" : count(photos.indexed, "photos") || "No photos";
  const failed = count(photos.failed, "failed");
  const isDamaged = damaged.length > 0 && "damaged";
  const known = model === DEMO_MODEL ? "demo model: knows drawn scenes only" : model;
  const facts = [indexed, failed, isDamaged, known, updated && `updated ${when(updated)}`];
  $("#about summary").textContent = facts.filter(Boolean).join(" · "); // a phone shows the first
  const lines = [
    `Model ${model}, space ${state.space}`,
    state.version && `clipsearch ${state.version}`,
    updated && `Last change ${when(updated)}`,
    reconciled && `${photos.objects} photos in the bucket on ${when(reconciled.at)}`,
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
if (navigation?.type === "reload") history.replaceState(null, ""); // who reloads wants a new answer
visit();
if (!location.search) words.focus(); // autofocus would scroll
// Asking for the state wakes the function while the visitor types.
function greet(text, isError) {
  clearTimeout(waking);
  const isGreeted = status.textContent === welcome; // what went wrong meanwhile stays
  welcome = text;
  if (isGreeted && addressOf(query) === "?" && !running) say(text, isError);
}
const waking = setTimeout(() => greet("Waking up…"), WAKING_AFTER_MS / 2);
ask("/status", { signal: new AbortController().signal, tell: greet }).then(
  (state) => greet(`${showAbout(state)} can be searched.`),
  (error) => greet(error.message, true),
);
