// The selection: photos to download or to list. Nothing is ever deleted from here.
import { allOf, cardOf, hasMore, loadAll, shown } from "./results.js";
import { button, element } from "./search.js";

const region = document.querySelector("#results");
const bar = document.querySelector("#selection");
const LARGEST = 1e9; // bytes of a zip that is kept in memory
const MOST = 5000; // photos that are loaded to be selected

const chosen = new Set(); // results
let last = null; // the result that was selected last, for ranges

const [count, told] = [element("p"), element("div")];
for (const it of [count, told]) it.setAttribute("role", "status");
const lists = element("summary", "Copy or save a list");
lists.className = "button";
const more = element("details", "", lists, element(
  "div", "",
  button("Copy names", () => copy((it) => it.name)),
  button("Copy links", () => copy((it) => it.url)),
  button("Save as JSON", () => save("photos.json", "application/json", JSON.stringify(rows(), null, 2))),
  button("Save as CSV", () => save("photos.csv", "text/csv", csv(rows()))),
));
const all = button("Select all", () => choose(shown, true));
const every = button("Select all", async () => {
  every.disabled = true;
  const found = await loadAll(MOST);
  every.disabled = false;
  if (found) choose(found, true);
});
bar.append(count, every, all, button("Download", download), more, button("Clear", clear), told);

export const isEmpty = () => !chosen.size;

// Selects the result or takes it away; with `isRange`, all from the last one to it.
export function toggle(result, isRange = false) {
  const from = shown.indexOf(last);
  if (isRange && from >= 0) {
    const to = shown.indexOf(result);
    choose(shown.slice(Math.min(from, to), Math.max(from, to) + 1), true);
  } else {
    choose([result], !chosen.has(result));
  }
  last = result;
}

export function clear() {
  choose([...chosen], false);
}

function choose(results, isChosen) {
  for (const it of results) {
    if (isChosen) chosen.add(it);
    else chosen.delete(it);
    mark(it);
  }
  bar.hidden = isEmpty();
  region.classList.toggle("selecting", !isEmpty());
  count.textContent = `${chosen.size.toLocaleString("en")} selected`;
  all.textContent = `Select all ${shown.length.toLocaleString("en")} shown`;
  every.textContent = `Select all ${allOf()}`;
  every.hidden = !allOf() || (allOf() === "photos" && !hasMore());
  all.hidden = chosen.size === shown.length || (allOf() === "photos" && hasMore());
  told.replaceChildren();
}

function mark(result) {
  const item = cardOf(result)?.closest("li");
  const isChosen = chosen.has(result);
  item?.classList.toggle("chosen", isChosen);
  item?.querySelector(".pick").setAttribute("aria-pressed", isChosen);
}

// In the order of the page.
const inOrder = () => shown.filter((it) => chosen.has(it));

// --- lists

const FIELDS = [
  "name", "url", "taken", "uploaded", "width", "height", "bytes", "format", "score", "match", "confidence",
];
const rows = () => inOrder().map((it) => Object.fromEntries(FIELDS.map((name) => [name, it[name] ?? null])));

// RFC 4180. A quote in front of = + - @ keeps a spreadsheet from running a name as a formula.
function csv(table) {
  const cell = (value) => {
    const text = typeof value === "string" && /^[=+\-@\t]/.test(value) ? `'${value}` : String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [FIELDS, ...table.map((row) => FIELDS.map((name) => row[name]))]
    .map((line) => `${line.map(cell).join()}\r\n`).join("");
}

async function copy(textOf) {
  const text = inOrder().map(textOf).join("\n");
  const isCopied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  told.textContent = isCopied ? "Copied." : "This browser does not allow copying. Save a list instead.";
}

function save(name, type, ...parts) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// --- a zip

async function download() {
  const photos = inOrder();
  const { Zip } = await import("./zip.js");
  const file = await target();
  if (!file) return;
  const zip = new Zip(file.write);
  const missing = [];
  try {
    for (const [n, it] of photos.entries()) {
      told.textContent = `Reading photo ${n + 1} of ${photos.length}…`;
      const answer = await fetch(it.url).catch(() => null);
      if (answer?.ok) await zip.add(it.name, new Uint8Array(await answer.arrayBuffer()), it.taken);
      else missing.push(it);
    }
    await zip.end();
    if (missing.length < photos.length) await file.close();
    else await file.abort();
  } catch (error) {
    await file.abort();
    told.textContent = error.message;
    return;
  }
  told.textContent = missing.length ? "" : "Downloaded.";
  if (missing.length) told.append(links(missing));
}

// Where the zip goes: a file on the disk where the browser allows that, else memory.
async function target() {
  const name = "photos.zip";
  if (window.showSaveFilePicker) {
    const handle = await window.showSaveFilePicker({ suggestedName: name }).catch(() => null);
    const stream = await handle?.createWritable();
    return stream && { write: (it) => stream.write(it), close: () => stream.close(), abort: () => stream.abort() };
  }
  const parts = [];
  let size = 0;
  return {
    write(bytes) {
      size += bytes.length;
      if (size > LARGEST) throw new RangeError("This browser can make a zip of at most 1 GB. Choose fewer photos.");
      parts.push(new Blob([bytes])); // the browser may move it to the disk
    },
    close: () => save(name, "application/zip", ...parts),
    abort() {},
  };
}

// For photos that this page may not read: their bucket does not allow it, or they are gone.
function links(photos) {
  const number = `${photos.length} ${photos.length === 1 ? "photo" : "photos"}`;
  const title = element("summary", `${number} could not be read by this page. Open the links.`);
  const lines = photos.map((it) => {
    const link = element("a", it.name);
    return element("li", "", Object.assign(link, { href: it.url, target: "_blank", rel: "noopener" }));
  });
  const list = element("details", "", title, element("ul", "", ...lines));
  list.open = true;
  return list;
}

region.addEventListener("clear", () => {
  chosen.clear();
  choose([], false);
});
region.addEventListener("add", () => isEmpty() || choose([], false));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !isEmpty() && !document.querySelector("dialog[open]")) clear();
});
