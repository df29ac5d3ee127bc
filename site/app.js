// The page starts here: the form, the address and the history. The address holds the search, so
// every search is a link. Text from outside is only inserted as text, never as HTML.
import { SEARCH_URL } from "./config.js";
import {
  MAX_TERMS, NOTHING, address, describe, isStart, isText, isUnwanted, parameters, parse, plus, typed,
  without,
} from "./query.js";
import { ask, attempt, failure, say, stop } from "./search.js";
import * as chips from "./chips.js";
import { listen } from "./grid.js";
import * as results from "./results.js";
import { follow, remember, sayWelcome, showStart } from "./start.js";

const $ = (selector) => document.querySelector(selector);
const form = $("#search");
const words = $("#words");

let query = NOTHING; // of the present address
let loaded = null; // the parameters of the answer on the page, or of the one that is coming
let isComing = false; // the first answer to the present search
let entry = null; // of the present search, a key of `left`
const left = new Map(); // history entry → snapshot() of it
let edited = null; // the term whose text is in the field

// --- the address

// Starts a search. Repeating the present search runs it again without a new history entry.
function go(next) {
  if (address(next) === address(query)) history.replaceState(null, "");
  else history.pushState(null, "", next === NOTHING ? location.pathname : address(next));
  loaded = null;
  visit();
}

// Shows what the present address says. The answer comes from the history entry if that has it.
function visit() {
  query = parse(location.search);
  const wanted = String(parameters(query));
  document.title = [query.photo, describe(query), "clipsearch"].filter(Boolean).join(" · ");
  if (wanted !== loaded) {
    if (entry) left.set(entry, results.snapshot());
    entry = history.state?.entry ?? String(Math.random());
    history.replaceState({ ...history.state, entry }, "");
    loaded = wanted;
    edited = null;
    words.value = "";
    load(left.get(entry) ?? history.state);
  } else if (!isComing || !query.photo) {
    showPhoto();
  }
}

function load(kept) {
  const isBare = isStart(query);
  if (isBare) showStart(true);
  chips.showMenus(query);
  if (isBare) $("#asked").replaceChildren();
  else chips.show(query, go, edit);
  if (kept?.answer) {
    stop();
    showStart(isBare);
    results.replace(query, kept.answer);
    if (isBare) sayWelcome();
    else say(results.found());
    scrollTo({ top: kept.place });
    results.cardOf(results.shown[kept.focused])?.focus({ preventScroll: true });
    showPhoto();
  } else if (query.terms.length && query.terms.every(isUnwanted)) {
    stop();
    showStart(false);
    results.clear(query);
    say("Add something that you want to see.", true);
  } else {
    request(isBare);
  }
}

function request(isBare) {
  const mine = query;
  const hadFocus = $("#results").contains(document.activeElement);
  if (isBare) {
    results.clear(query);
    sayWelcome();
  }
  isComing = true;
  attempt((how) => ask(`/?${parameters(mine)}`, how), (answer) => {
    showStart(isBare); // not earlier, so that the old photos do not move
    results.replace(mine, isBare ? { ...answer, next_cursor: null } : answer);
    if (!isBare) {
      say(results.found());
      remember(mine);
      scrollTo({ top: 0 });
    }
    if (hadFocus) results.cardOf(results.shown[0])?.focus({ preventScroll: true });
    showPhoto();
  }, isBare ? { tell() {}, failed: showPhoto } : { // the status says what is wrong
    doing: "Searching…",
    failed(error, again) {
      showStart(false);
      results.clear(mine);
      failure(error, again);
      showPhoto();
    },
  });
}

// --- the viewer

// Loads a part of the page when it is needed.
const part = (name, then) =>
  import(`./${name}.js`).then(then, () => say("The page is not reachable right now.", true));

function showPhoto() {
  const { photo } = query;
  isComing = false;
  if (photo) part("viewer", (it) => query.photo === photo && it.open(photo, place));
  else if ($("#viewer").open) part("viewer", (it) => query.photo || it.close());
}

const place = {
  query: () => query,
  go,
  lessLike: (name) => go(plus(query, "unlike", name)),
  replacePhoto(photo) {
    history.replaceState(history.state, "", address({ ...query, photo }));
    visit();
  },
  leave() {
    if (history.state?.isOnTop) {
      history.back();
    } else {
      history.replaceState(history.state, "", address({ ...query, photo: null }));
      visit();
    }
  },
};

function openPhoto({ name }) {
  history.pushState({ entry, isOnTop: true }, "", address({ ...query, photo: name }));
  visit();
}

// A menu is filled when it opens.
const opened = ({ target }) => target.open && part("filters", (it) => it.fill(target, query));
$("#filters").addEventListener("toggle", opened, true);

// `isRange`: with all photos from the one that was selected last.
const select = (result, isRange) => part("select", (it) => it.toggle(result, isRange));

listen(openPhoto, go, select);
for (const near of ["pointerover", "focusin"]) {
  $("#results").addEventListener(near, () => part("viewer"), { once: true }); // before the click
}

// --- the form

function edit(term) {
  edited = term;
  words.value = (isUnwanted(term) ? "-" : "") + term.value;
  words.focus();
}

// The query with the text in the field.
function withText() {
  const isEdit = query.terms.includes(edited);
  if (!words.value.trim()) return isEdit ? without(query, edited) : query;
  const [kind, value] = typed(words.value);
  if (!isEdit) return plus(query, kind, value);
  const terms = query.terms.map((term) => (term === edited ? { ...term, kind, value } : term));
  return { ...query, terms };
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const next = withText();
  if (isStart(next)) {
    say("Type what you are looking for, or choose a picture.", true);
  } else if (next.terms.length > MAX_TERMS) {
    say(`A search has at most ${MAX_TERMS} parts. Remove one.`, true);
  } else {
    if (matchMedia("(pointer: coarse)").matches) words.blur(); // the keyboard would hide the results
    go(next);
  }
});

words.addEventListener("keydown", (event) => {
  const last = query.terms.findLast(isText);
  if (event.key !== "Backspace" || words.value || !last || event.repeat) return;
  event.preventDefault();
  edit(last);
});

// Searches by a picture, with the texts that are there, in place of other pictures and photos.
chips.listen((files) => part("picture", ({ read }) => read(files, (picture) => {
  const base = withText();
  go(plus({ ...base, terms: base.terms.filter(isText) }, "picture", picture));
})));

if (matchMedia("(width < 40rem)").matches) words.placeholder = "Search your photos";

// On the first key, load the text tower, so that it is ready for the search.
const wake = () => fetch(`${SEARCH_URL}/embed?q=a`).then((answer) => answer.text());
words.addEventListener("input", () => wake().catch(() => null), { once: true });

// --- keys and links

addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "?") part("keys", (it) => it.show());
  if (event.key !== "/" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  words.focus();
});

// A link to a search of this page needs no new page.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='?']");
  const isForNewTab = event.ctrlKey || event.metaKey || event.shiftKey;
  if (!link || isForNewTab || event.defaultPrevented) return;
  event.preventDefault();
  const next = parse(link.getAttribute("href"));
  go(isStart(next) ? NOTHING : next);
  if (isStart(next)) words.focus();
});

addEventListener("popstate", visit);
// The browser would restore the scroll position before the results exist.
history.scrollRestoration = "manual";
// For a return from another page.
addEventListener("pagehide", () => {
  history.replaceState({ ...history.state, ...results.snapshot() }, "");
});

const [navigation] = performance.getEntriesByType("navigation");
if (navigation?.type === "reload") history.replaceState(null, ""); // a reload searches again
visit();
if (!location.search) words.focus(); // the autofocus attribute would scroll

follow({
  isHere: () => isStart(query),
  isWaiting: () => scrollY === 0 && !query.photo && document.activeElement === words,
  renew: () => request(true),
});
