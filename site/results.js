// The answer on the page: its photos in groups and piles, how many match, and more of them.
import { Grid, card } from "./grid.js";
import { NOTHING, parameters } from "./query.js";
import { ask, attempt, button, element, isRunning, say } from "./search.js";

const $ = (selector) => document.querySelector(selector);
const region = $("#results");
const end = $("#end");
const more = $("#more");
const trouble = $("#trouble");
const limit = $("#limit");

export let shown = []; // the results on the page, in order
let query = NOTHING; // that they answer
let cursor = null; // of the next page of results
let matches = null; // {count, estimated, at_least} of the first page's answer; null if unknown
let total = null; // photos of a list without terms
let isCut = false; // the text was too long
let bound = null; // photos that a search compares, if the list ends there
let grids = []; // one, or two: good matches and the others
let cards = new Map(); // result → its card

export const cardOf = (result) => cards.get(result)?.querySelector("a");
export const hasMore = () => Boolean(cursor);
export const matchesWell = () => matches?.count !== 0;

export function clear(asked = NOTHING) {
  query = asked;
  [shown, grids, cards, isCut] = [[], [], new Map(), false];
  cursor = matches = total = bound = null;
  region.dispatchEvent(new Event("clear"));
  region.replaceChildren();
  more.hidden = limit.hidden = true;
  trouble.replaceChildren();
  atEnd.disconnect();
}

// Shows an answer, or the one of a snapshot.
export function replace(asked, answer) {
  clear(asked);
  add(answer);
}

// A photo that was overwritten between two pages may come twice; show it once.
function add(answer) {
  const names = new Set(shown.map((result) => result.name));
  const fresh = answer.results.filter((result) => !names.has(result.name));
  matches ??= answer.matches ?? null; // later pages have null
  total ??= answer.total ?? null;
  isCut ||= Boolean(answer.truncated ?? answer.isCut);
  bound = answer.incomplete ? answer.index.most_compared : answer.bound;
  cursor = answer.next_cursor;
  shown.push(...fresh);
  for (const isGood of [true, false]) {
    const part = fresh.filter((result) => isAbove(result) === isGood);
    if (part.length) gridOf(isGood).insert(part, part.map(cardFor));
  }
  place();
  offerMore();
  region.dispatchEvent(new Event("add"));
}

// Whether a result belongs above the line between good and less certain matches.
const isGrouped = () => matches?.count > 0 && !/est$/.test(query.sort);
const isAbove = (result) => !isGrouped() || (result.of ?? result).match === "good";

function gridOf(isGood) {
  const label = !isGrouped() ? "Photos" : isGood ? "Good matches" : "Less certain matches";
  const known = grids.find((it) => it.label === label);
  if (known) return known;
  const grid = Object.assign(new Grid(label), { label });
  grids.push(grid);
  if (!isGood) {
    const line = element("h2", "Less certain");
    line.className = "line";
    region.append(line);
  }
  region.append(grid.list);
  return grid;
}

function place() {
  const width = end.clientWidth; // #results has no box
  grids.forEach((grid, n) => grid.place(width, !cursor || n < grids.length - 1));
}

let width = 0;
new ResizeObserver(() => {
  if (width === end.clientWidth) return;
  width = end.clientWidth;
  for (const grid of grids) grid.reset();
  place();
}).observe(end);

// --- how many match

export function found() {
  const cut = isCut ? " The text was too long and was cut." : "";
  if (!shown.length) return `No photos found.${cut}`;
  const isByDate = !query.terms.length || /est$/.test(query.sort);
  const order = query.sort === "oldest" ? "oldest" : "newest";
  if (total) return `${total.toLocaleString("en")} ${total === 1 ? "photo" : "photos"}, ${order} first`;
  if (isByDate && !matches) return `${order[0].toUpperCase()}${order.slice(1)} photos first.${cut}`;
  if (!matches) return `Closest photos first.${cut}`;
  if (!matches.count) return `Nothing matches well. Closest photos:${cut}`;
  const kind = matches.at_least ? "At least " : matches.estimated ? "About " : "";
  return `${kind}${matches.count.toLocaleString("en")} good ${matches.count === 1 ? "match" : "matches"}${isByDate ? `, ${order} first` : ""}${cut}`;
}

// --- more results

// Results load while you scroll, but not below the last good match.
const isEndless = () => !matches || /est$/.test(query.sort) || shown.at(-1)?.match === "good";

function offerMore() {
  trouble.replaceChildren();
  more.hidden = !cursor;
  more.classList.toggle("unseen", isEndless());
  limit.hidden = !bound;
  limit.textContent = `The list ends here: a search compares at most ${bound?.toLocaleString("en")} photos.`;
  atEnd.disconnect();
  if (cursor && isEndless()) atEnd.observe(end); // reports at once if the end is near
}

export function searchMore({ limit } = {}) {
  const asked = parameters(query);
  asked.set("cursor", cursor);
  if (limit) asked.set("limit", limit);
  const isFocused = [more, trouble.querySelector("button")].includes(document.activeElement);
  more.hidden = true;
  return attempt((how) => ask(`/?${asked}`, how), (answer) => {
    const first = shown.length;
    add(answer);
    say(found());
    if (isFocused) cardOf(shown[first])?.focus();
  }, {
    doing: "Loading more…",
    tell: (line) => trouble.replaceChildren(line),
    failed(error) {
      const retry = button("Retry", () => searchMore());
      trouble.replaceChildren(error.message, " ", retry);
      if (isFocused) retry.focus();
      atEnd.disconnect();
    },
  });
}

// What "all" means: the good matches, or the photos of a list. "" if there is no line to draw.
export const allOf = () => (matches?.count ? "good matches" : total ? "photos" : "");

// Loads what is left of allOf(), up to `most`. Returns its results, or null if that fails.
export async function loadAll(most) {
  const mine = query;
  while (cursor && isEndless() && shown.length < most) {
    const before = cursor;
    await searchMore({ limit: 100 });
    if (query !== mine || cursor === before) return null;
  }
  return matches ? shown.filter((it) => (it.of ?? it).match === "good") : shown;
}

const atEnd = new IntersectionObserver(([seen]) => {
  if (seen.isIntersecting && cursor && !isRunning()) searchMore();
}, { rootMargin: "1200px" });
more.addEventListener("click", () => searchMore());

// --- what the history keeps

// The answer, the scroll position and the focused photo.
export function snapshot() {
  const focused = shown.findIndex((it) => cards.get(it)?.contains(document.activeElement));
  const answer = { results: shown, next_cursor: cursor, matches, total, isCut, bound };
  return { place: scrollY, focused, answer: shown.length ? answer : null };
}

function cardFor(result) {
  const item = card(result, query);
  if (result.also?.length) item.append(pile(result));
  cards.set(result, item);
  return item;
}

// --- piles of photos that are nearly the same

function pile(result) {
  const number = result.also.length + 1;
  const toggle = button(String(number), () => (result.isOpen ? fold : unfold)(result, toggle));
  toggle.className = "pile";
  toggle.title = `${number} photos that are nearly the same`;
  toggle.setAttribute("aria-label", `${number} nearly the same: ${result.name}`);
  toggle.setAttribute("aria-expanded", Boolean(result.isOpen));
  return toggle;
}

function unfold(result, toggle) {
  const members = result.also.map((it) => ({ ...it, of: result }));
  result.isOpen = true;
  shown.splice(shown.indexOf(result) + 1, 0, ...members);
  const grid = gridOf(isAbove(result));
  grid.insert(members, members.map(cardFor), grid.photos.indexOf(result) + 1);
  arrange(toggle, true);
}

function fold(result, toggle) {
  const grid = gridOf(isAbove(result));
  const members = shown.filter((it) => it.of === result);
  for (const it of members) {
    grid.remove(it);
    cards.delete(it);
  }
  shown = shown.filter((it) => it.of !== result);
  result.isOpen = false;
  arrange(toggle, false);
}

function arrange(toggle, isOpen) {
  toggle.parentElement.classList.toggle("member", isOpen);
  toggle.setAttribute("aria-expanded", isOpen);
  place();
}

