// What is asked, as chips: texts, photos, pictures and filters. Each can be removed. And the ways
// in which pictures come: chosen, pasted, dropped.
import {
  NOTHING, address, canTurn, filtered, isText, isUnwanted, periodName, turned, without, withoutPeriod,
} from "./query.js";
import { ask, button, element, say } from "./search.js";
import { thumbnailOf } from "./grid.js";

const $ = (selector) => document.querySelector(selector);
const list = $("#asked");
const menus = $("#filters");
const field = $("#words");
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
    field.focus();
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
  const over = element("a", "Start over");
  over.href = address(NOTHING);
  list.replaceChildren(...terms, ...period, ...filters, element("li", "", over));
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
  const item = element("li", "", ...parts.filter(Boolean), control("×", `Remove ${text}`, remove));
  item.className = "chip";
  return item;
}

function control(text, label, does) {
  const node = button(text, does);
  node.title = label;
  node.setAttribute("aria-label", label);
  return node;
}

function sign(term, turn) {
  const isNot = isUnwanted(term);
  const node = control(isNot ? "−" : "+", isNot ? "Unwanted. Make it wanted" : "Wanted. Make it unwanted", turn);
  node.className = isNot ? "sign unwanted" : "sign";
  return node;
}

function words(text, term, edit) {
  const node = isText(term) ? control("", `Edit ${text}`, () => edit(term)) : element("span");
  node.className = "words";
  node.append(element("bdi", text));
  return node;
}

// The text and the picture of a term.
function face(term) {
  const { kind, value } = term;
  if (isText(term)) return { text: value };
  const image = element("img");
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

// --- pictures that a visitor chooses, pastes or drops

// `search` gets the files.
export function listen(search) {
  for (const input of [$("#picture"), $("#camera")]) {
    input.addEventListener("change", () => {
      if (input.files.length) search([...input.files]);
      input.value = ""; // so that the same picture can be chosen again
    });
  }
  addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    const hasText = event.target === field && event.clipboardData.getData("text/plain");
    if (!files.length || hasText) return;
    event.preventDefault();
    search([...files]);
  });
  const isForField = (event) => event.target === field && !event.dataTransfer.types.includes("Files");
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
    const files = [...event.dataTransfer.files];
    if (files.length) search(files);
    else say("Only files can be dropped here. Save the picture first.", true);
  });
}
