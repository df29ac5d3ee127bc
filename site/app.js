// The page: asks the search function and shows its answers. Text from outside goes into the
// page as textContent only.
import { SEARCH_URL } from "./config.js";

const WAKING_AFTER_MS = 2000;

const form = document.querySelector("#search");
const words = document.querySelector("#words");
const picture = document.querySelector("#picture");
const chosen = document.querySelector("#chosen");
const status = document.querySelector("#status");
const results = document.querySelector("#results");
const more = document.querySelector("#more");
const template = document.querySelector("#result");

let turn = 0; // an answer to an earlier turn is dropped
let query = null; // what the results on the page answer: {q, like, image}, each or null
let cursor = null; // where their next part starts

// --- the search function

async function ask(path, init) {
  let response;
  try {
    response = await fetch(SEARCH_URL + path, init);
  } catch {
    throw new Error(`The search function at ${SEARCH_URL} cannot be reached.`);
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new Error(body?.detail ? sentence(body.detail) : `The search failed (${response.status}).`);
}

function find({ q, like, image }, after) {
  const values = { q, like, image, cursor: after };
  const given = Object.entries(values).filter(([, value]) => value);
  if (!image) return ask("/?" + new URLSearchParams(given));
  const body = new FormData();
  for (const [name, value] of given) body.append(name, value);
  return ask("/", { method: "POST", body });
}

// --- one text per state

function say(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("error", isError);
}

// Runs `work`; its answer goes to `show`, unless something newer was asked meanwhile.
async function attempt(text, work, show, failed = () => {}) {
  const mine = ++turn;
  const current = () => mine === turn;
  say(text);
  results.setAttribute("aria-busy", "true");
  const slow = setTimeout(
    () => current() && say("Waking up… the first search after a pause takes a moment."),
    WAKING_AFTER_MS,
  );
  try {
    const answer = await work();
    if (current()) show(answer);
  } catch (error) {
    if (!current()) return;
    say(error.message, true);
    failed();
  } finally {
    clearTimeout(slow);
    if (current()) results.setAttribute("aria-busy", "false");
  }
}

function search(asked) {
  more.hidden = true;
  attempt("Searching…", () => find(asked), (answer) => {
    query = asked;
    results.replaceChildren();
    scrollTo({ top: 0 });
    add(answer);
  }, () => results.replaceChildren());
}

function searchMore() {
  attempt("Searching for more…", () => find(query, cursor), (answer) => {
    const first = results.children.length;
    add(answer);
    results.children[first]?.querySelector("a").focus();
  });
}

function add(answer) {
  results.append(...answer.results.map(card));
  cursor = answer.next_cursor;
  more.hidden = !cursor;
  say(found(results.children.length) + (answer.truncated ? " The text was too long and was cut." : ""));
}

function found(count) {
  const { q, like, image } = query;
  const parts = [q && `“${q}”`, image && "your picture", like && `“${like}”`].filter(Boolean);
  const photos = count === 1 ? "1 photo" : `${count || "No"} photos`;
  return `${photos} like ${parts.join(" and ")}.`;
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// --- results

function card(result) {
  const item = template.content.cloneNode(true).firstElementChild;
  const image = item.querySelector("img");
  item.querySelector("a").href = result.url;
  image.alt = result.name;
  if (result.width && result.height) {
    image.width = result.width;
    image.height = result.height;
  }
  image.addEventListener("error", () => (image.src = result.url), { once: true });
  image.src = result.thumbnail_url ?? result.url;
  const name = item.querySelector(".name");
  name.textContent = name.title = result.name;
  item.querySelector(".similarity").textContent = result.similarity.toFixed(1);
  const like = item.querySelector("button");
  like.setAttribute("aria-label", `More like ${result.name}`);
  like.addEventListener("click", () => {
    words.value = "";
    choose(null);
    search({ q: null, like: result.name, image: null });
  });
  return item;
}

// --- the form

function choose(file) {
  if (!file) picture.value = "";
  const preview = chosen.querySelector("img");
  URL.revokeObjectURL(preview.src);
  chosen.hidden = !file;
  preview.hidden = false;
  if (file) preview.src = URL.createObjectURL(file);
  else preview.removeAttribute("src");
  chosen.querySelector("span").textContent = file?.name ?? "";
}

function submit() {
  const q = words.value.trim() || null;
  const image = picture.files[0] ?? null;
  if (q || image) search({ q, like: null, image });
  else say("Type what the photos show, or choose a picture.", true);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
picture.addEventListener("change", () => {
  choose(picture.files[0]);
  if (picture.files[0]) submit();
});
// a browser may not be able to show what the search function can read
chosen.querySelector("img").addEventListener("error", (event) => (event.target.hidden = true));
chosen.querySelector("button").addEventListener("click", () => {
  choose(null);
  picture.focus();
  if (words.value.trim()) submit();
});
more.addEventListener("click", searchMore);

// Says what there is to search, and wakes the function while the visitor types.
attempt("Waking up…", () => ask("/status"), ({ photos }) =>
  say(photos.indexed === 1 ? "1 photo can be searched." : `${photos.indexed} photos can be searched.`),
);
