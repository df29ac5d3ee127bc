// What is asked, as chips: texts, photos, pictures and filters. Each can be removed.
import {
  NOTHING, address, canTurn, filtered, isUnwanted, periodName, turned, without, withoutPeriod,
} from "./query.js";
import { ask } from "./search.js";
import { thumbnailOf } from "./results.js";

const list = document.querySelector("#asked");
const menus = document.querySelector("#filters");
const previews = new Map(); // picture (as in the address) → {url, name}, of pictures chosen here

export const know = (picture, preview) => previews.set(picture, preview);

const FILTER_NAMES = {
  folder: "in", name: "named", after: "from", before: "before", near: "near",
  min_megapixels: "megapixels:",
};

// `go` starts a search. `edit` puts the text of a term back into the field.
export function show(query, go, edit) {
  const remove = (rest) => () => {
    go(rest);
    document.querySelector("#words").focus();
  };
  const terms = query.terms.map((term) => {
    const { text, image } = face(term);
    const parts = [image, words(text, term, edit)];
    if (canTurn(term)) parts.unshift(sign(term, () => go(turned(query, term))));
    return chip(parts, text, remove(without(query, term)));
  });
  const when = periodName(query.filters);
  const rest = when ? withoutPeriod(query).filters : query.filters;
  const period = when ? [chip([words(when, {}, edit)], when, remove(withoutPeriod(query)))] : [];
  const filters = Object.entries(rest).flatMap(([name, values]) => values.map((value) => {
    const text = `${FILTER_NAMES[name] ?? ""} ${value}`.trim();
    const others = values.filter((it) => it !== value);
    return chip([words(text, {}, edit)], text, remove(filtered(query, name, ...others)));
  }));
  const over = document.createElement("li");
  const link = document.createElement("a");
  link.textContent = "Start over";
  link.href = address(NOTHING);
  over.append(link);
  list.replaceChildren(...terms, ...period, ...filters, over);
}

// Marks the menus with a choice, and closes them.
export function showMenus(query) {
  closeMenus();
  for (const menu of menus.children) {
    const isSet = menu.dataset.sets.split(" ").some((name) => query.filters[name] ?? query[name]);
    menu.firstElementChild.classList.toggle("set", isSet);
  }
}

export function closeMenus() {
  for (const menu of menus.children) {
    if (menu.open && menu.contains(document.activeElement)) menu.firstElementChild.focus();
    menu.open = false;
  }
}

function chip(parts, text, remove) {
  const item = document.createElement("li");
  item.className = "chip";
  item.append(...parts.filter(Boolean), control("×", `Remove ${text}`, remove));
  return item;
}

function control(text, label, does) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = text;
  node.title = label;
  node.setAttribute("aria-label", label);
  node.addEventListener("click", does);
  return node;
}

function sign(term, turn) {
  const isNot = isUnwanted(term);
  const node = control(isNot ? "−" : "+", isNot ? "Unwanted. Make it wanted" : "Wanted. Make it unwanted", turn);
  node.className = isNot ? "sign unwanted" : "sign";
  return node;
}

function words(text, term, edit) {
  const isText = term.kind === "q" || term.kind === "not";
  const node = isText ? control("", `Edit ${text}`, () => edit(term)) : document.createElement("span");
  const own = document.createElement("bdi");
  own.textContent = text;
  node.className = "words";
  node.append(own);
  return node;
}

// The text and the picture of a term.
function face({ kind, value }) {
  if (kind === "q" || kind === "not") return { text: value };
  const image = document.createElement("img");
  image.alt = "";
  image.onerror = () => (image.hidden = true); // search may read what this browser cannot show
  if (kind === "picture") {
    const preview = previews.get(value);
    if (preview) image.src = preview.url;
    return { text: preview?.name ?? "A picture", image: preview && image };
  }
  const known = thumbnailOf(value);
  if (known) image.src = known;
  else find(value).then((it) => it && (image.src = it.thumbnail_url), () => null);
  return { text: value.slice(value.lastIndexOf("/") + 1) || value, image };
}

// The result of the photo with this name; undefined if it is not indexed.
export async function find(name) {
  const answer = await ask(`/?${new URLSearchParams({ photo: name })}`);
  return answer.results[0];
}
