// Photos as cards, in rows with true proportions that fill the width, and what a visitor does with
// them. Nothing is cropped. Photos have places before they load, so nothing moves.
import { NOTHING, address, plus } from "./query.js";

const region = document.querySelector("#results");
const LONG_PRESS_MS = 500;
const THUMBNAIL = 480; // pixels of the longer side; a smaller photo is not enlarged
const FALLBACK = 4 / 3; // of a photo whose size is unknown
const NARROWEST = 0.3; // width / height of a place; a narrower photo has margins
const HIGHEST = 2; // rows, for a row that few photos cannot fill

// CSS pixels between photos, and the height that rows should have: so low that a thumbnail of 480
// pixels fills the place of a photo of 16:9.
const gap = (width) => (width < 600 ? 4 : 8);
const aim = (width) => Math.min(240, Math.max(128, width / 6.5));

const ratioOf = ({ width, height }) => Math.max(NARROWEST, width / height || FALLBACK);

// Divides ratios (width / height) into rows: [{count, height}]. A last row that is not full has
// the height `target` if `isWhole`; otherwise it is left out, because more photos follow.
export function divide(ratios, width, target, space, isWhole) {
  const rows = [];
  let [sum, count] = [0, 0];
  const heightOf = (ratios, n) => (width - space * (n - 1)) / ratios;
  const end = (height) => {
    rows.push({ count, height: Math.min(height, HIGHEST * target) });
    [sum, count] = [0, 0];
  };
  for (const ratio of ratios) {
    const before = heightOf(sum, count);
    const height = heightOf(sum + ratio, count + 1);
    if (count && height < target && before / target < target / height) end(before);
    sum += ratio;
    count += 1;
    if (heightOf(sum, count) <= target) end(heightOf(sum, count));
  }
  const filled = heightOf(sum, count);
  if (count && isWhole) end(filled < 1.3 * target ? filled : target);
  return rows;
}

// A list of cards in rows.
export class Grid {
  constructor(label) {
    this.list = document.createElement("ul");
    this.list.className = "grid";
    this.list.setAttribute("aria-label", label);
    this.photos = []; // results, beside the cards in `list`
    this.reset();
  }

  reset() {
    [this.placed, this.top] = [0, 0]; // photos in full rows, and where the next row begins
  }

  insert(photos, cards, at = this.photos.length) {
    const next = this.list.children[at];
    if (next) next.before(...cards);
    else this.list.append(...cards);
    this.photos.splice(at, 0, ...photos);
    if (at < this.placed) this.reset();
  }

  remove(photo) {
    const at = this.photos.indexOf(photo);
    this.list.children[at].remove();
    this.photos.splice(at, 1);
    this.reset();
  }

  // Gives each card its place in `width` pixels. `isWhole`: no more photos follow.
  place(width, isWhole) {
    const space = gap(width);
    const cards = this.list.children;
    const ratios = this.photos.slice(this.placed).map(ratioOf);
    let at = this.placed;
    let { top } = this;
    const divided = (isWhole) => divide(ratios, width, aim(width), space, isWhole);
    const full = divided(isWhole);
    const hasRows = at > 0 || full.length > 0; // else show what there is
    for (const { count, height } of hasRows ? full : divided(true)) {
      let left = 0;
      for (const end = at + count; at < end; at++) {
        const right = left + ratioOf(this.photos[at]) * height;
        put(cards[at], Math.round(left), Math.round(right), top, Math.round(height));
        left = right + space;
      }
      top += Math.round(height) + space;
      if (!isWhole && hasRows) [this.placed, this.top] = [at, top];
    }
    for (; at < cards.length; at++) cards[at].hidden = true;
    this.list.style.height = `${Math.max(0, top - space)}px`;
  }
}

function put(card, left, right, top, height) {
  card.hidden = false;
  const [insetInlineStart, width] = [`${left}px`, `${right - left}px`];
  Object.assign(card.style, { insetInlineStart, top: `${top}px`, width, height: `${height}px` });
}

// --- cards

const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeZone: "UTC" });
const thumbnails = new Map(); // name → address, of all photos seen
const results = new WeakMap(); // card → its result

export const thumbnailOf = (name) => thumbnails.get(name);

// A date as the photographer's clock showed it, without this browser's time zone.
export function day(result, format = DAY) {
  const taken = result.taken?.slice(0, 19);
  return taken ? format.format(new Date(`${taken}Z`)) : "";
}

// Shows the thumbnail, or the photo if the thumbnail fails to load.
export function showIn(image, result) {
  image.onerror = () => {
    image.onerror = null;
    image.src = result.url;
  };
  image.src = result.thumbnail_url;
}

const like = ({ name }) => plus(NOTHING, "like", name);

// A card of a result of `query`.
export function card(result, query) {
  const { name } = result;
  const item = document.querySelector("#result").content.cloneNode(true).firstElementChild;
  const [link, similar] = item.querySelectorAll("a");
  const image = item.querySelector("img");
  const date = day(result);
  link.href = address({ ...query, photo: name });
  image.alt = date ? `${name}, ${date}` : name;
  if (result.colour) link.style.backgroundColor = result.colour;
  image.classList.toggle("small", Math.max(result.width, result.height) < THUMBNAIL);
  showIn(image, result);
  item.querySelector(".name").textContent = name;
  item.querySelector(".date").textContent = date;
  item.querySelector(".pick").setAttribute("aria-label", `Select ${name}`);
  similar.setAttribute("aria-label", `More like this: ${name}`);
  similar.href = address(like(result));
  item.classList.toggle("member", Boolean(result.of || result.isOpen));
  thumbnails.set(name, result.thumbnail_url);
  results.set(item, result);
  return item;
}

// --- what a visitor does with the cards

// `open` gets a result that was chosen; `search` starts a search; `select` selects a result.
export function listen(open, search, select) {
  const resultOf = (node) => results.get(node.closest("li"));
  const isSelecting = () => region.classList.contains("selecting");
  let isHeld = false; // a long press selects, and the click after it does nothing
  region.addEventListener("click", (event) => {
    const node = event.target.closest("a, .pick");
    if (!node || event.ctrlKey || event.metaKey) return; // for a new tab
    const isPick = node.className === "pick" || (isSelecting() && node.className === "photo");
    if (event.shiftKey && !isPick) return;
    event.preventDefault();
    const result = resultOf(node);
    if (isHeld) isHeld = false;
    else if (isPick) select(result, event.shiftKey);
    else if (node.className === "similar") search(like(result));
    else open(result);
  });
  region.addEventListener("touchstart", (event) => {
    const link = event.target.closest(".photo");
    isHeld = false;
    if (!link) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      isHeld = true;
      select(resultOf(link));
    }, LONG_PRESS_MS);
    stop.signal.onabort = () => clearTimeout(timer);
    for (const end of ["touchend", "touchmove", "touchcancel"]) {
      addEventListener(end, () => stop.abort(), { signal: stop.signal, passive: true });
    }
  }, { passive: true });
  region.addEventListener("contextmenu", (event) => isHeld && event.preventDefault());
  region.addEventListener("keydown", (event) => {
    const item = event.target.closest("li");
    if (!item || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "l") search(like(resultOf(item)));
    if (event.key.toLowerCase() === "x") select(resultOf(item), event.shiftKey);
    const next = neighbour([...region.querySelectorAll(".grid > :not([hidden])")], item, event.key);
    if (!next) return;
    event.preventDefault();
    next.querySelector("a").focus();
  });
}

// The card that `key` leads to from `card`, as in a table; undefined if there is none.
function neighbour(cards, card, key) {
  const at = cards.indexOf(card);
  const isRtl = getComputedStyle(card).direction === "rtl";
  const forward = isRtl ? "ArrowLeft" : "ArrowRight";
  if (key === "Home") return cards[0];
  if (key === "End") return cards.at(-1);
  if (key === "ArrowLeft" || key === "ArrowRight") return cards[at + (key === forward ? 1 : -1)];
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  const middle = (box) => box.left + box.width / 2;
  const from = card.getBoundingClientRect();
  let best, row;
  for (let n = at + step; step && cards[n]; n += step) {
    const box = cards[n].getBoundingClientRect();
    if (Math.abs(box.top - from.top) < 1) continue; // the same row
    row ??= box.top;
    if (Math.abs(box.top - row) > 1) break;
    const distance = Math.abs(middle(box) - middle(from));
    if (!best || distance < best.distance) best = { distance, card: cards[n] };
  }
  return best?.card;
}
