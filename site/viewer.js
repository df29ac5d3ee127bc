// One photo in the whole window. It is a place of its own: `photo` in the address.
import { NOTHING, isUnwanted, plus } from "./query.js";
import { day, showIn } from "./grid.js";
import { cardOf, hasMore, searchMore, shown } from "./results.js";
import { element, isRunning, isolated } from "./search.js";
import { find } from "./chips.js";
import { zoomable } from "./zoom.js";

const viewer = document.querySelector("#viewer");
const $ = (selector) => viewer.querySelector(selector);
const image = $("#stage img");
const said = $("#said");
const SHOWN = ["jpeg", "png", "webp", "gif", "avif", "bmp"]; // formats, by browsers
const WIDE = matchMedia("(width >= 75rem)"); // room for the details beside the photo

const TAKEN = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "short", timeZone: "UTC" });

let photo = null; // the result in the viewer
let app; // {query(), replacePhoto(name), leave(), go(query), lessLike(name)}
const whole = zoomable($("#stage"), image, (step) => (step ? move(step) : app.leave()));

const place = () => shown.indexOf(photo);

// Shows the photo `name`, from the results or looked up.
export async function open(name, how) {
  app = how;
  if (!viewer.open) {
    $("#details").hidden = !WIDE.matches;
    viewer.showModal();
  }
  const known = shown.find((it) => it.name === name);
  if (known) return view(known);
  if (photo?.name === name) return;
  photo = null;
  image.removeAttribute("src");
  $("#viewed").textContent = name;
  said.textContent = "Loading the photo…";
  const [result, problem] = await find(name).then((it) => [it], (error) => [null, error]);
  if (app.query().photo !== name || photo) return; // closed, moved on, or found among the results
  if (result) return view(result);
  const isLost = !problem || (problem.status >= 400 && problem.status < 429);
  said.replaceChildren(...(isLost ? ["There is no photo ", ...isolated(name), "."] : [problem.message]));
}

export function close() {
  if (!viewer.open) return;
  viewer.close();
  cardOf(photo)?.focus(); // the browser would focus the one that was opened first
  photo = null;
}

function view(result) {
  if (photo === result) return;
  photo = result;
  whole();
  said.textContent = "";
  if (result.width) [image.width, image.height] = [result.width, result.height];
  else for (const name of ["width", "height"]) image.removeAttribute(name);
  image.alt = result.name;
  showIn(image, result);
  load(result);
  $("#viewed").textContent = result.name;
  const at = place();
  $("#position").textContent = at < 0 ? "" : `${at + 1} of ${shown.length}${hasMore() ? "+" : ""}`;
  $('[data-does="previous"]').disabled = at <= 0;
  $('[data-does="next"]').disabled = at < 0 || at === shown.length - 1;
  $('[data-does="less"]').hidden = !app.query().terms.some((term) => !isUnwanted(term));
  showDetails(result);
  if (at > shown.length - 4 && hasMore() && !isRunning()) searchMore();
}

// The preview, or the photo. null: browsers cannot show it.
const largest = ({ preview_url: preview, format, url }) =>
  preview ?? (!format || SHOWN.includes(format) ? url : null);

// Replaces the thumbnail by the preview or the photo. If the browser cannot show it, says so.
function load(result) {
  const full = new Image();
  const source = largest(result);
  full.onload = () => {
    if (photo !== result) return;
    image.onerror = null;
    image.src = source;
    for (const it of [shown[place() + 1], shown[place() - 1]]) {
      const ahead = it && largest(it);
      if (ahead && !navigator.connection?.saveData) new Image().src = ahead;
    }
  };
  full.onerror = () => {
    if (photo !== result) return;
    const format = (result.format ?? result.name.split(".").pop()).toUpperCase();
    said.textContent = `This browser cannot show ${format} here. This is the thumbnail.`;
  };
  if (source) full.src = source;
  else full.onerror();
}

// --- the details

const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`);

function showDetails(result) {
  const cut = result.name.lastIndexOf("/") + 1;
  const megapixels = (result.width * result.height) / 1e6;
  const { place: where } = result;
  const facts = {
    Name: result.name.slice(cut),
    Folder: result.name.slice(0, cut),
    Taken: day(result, TAKEN),
    Added: result.uploaded && new Date(result.uploaded).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" }),
    Size: result.width && `${result.width} × ${result.height}${megapixels < 0.1 ? "" : ` · ${megapixels.toFixed(1)} megapixels`}`,
    File: [result.format?.toUpperCase(), result.bytes && size(result.bytes)].filter(Boolean).join(" · "),
    Place: where && `${where.latitude.toFixed(4)}, ${where.longitude.toFixed(4)}`,
    Match: result.confidence?.toFixed(2),
    Similarity: result.confidence == null && result.similarity?.toFixed(1),
  };
  $("dl").replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap((pair) =>
    ["dt", "dd"].map((tag, n) => {
      const node = element(tag, pair[n]);
      node.dir = "auto";
      return node;
    })));
  $('[data-does="folder"]').hidden = !cut;
  $('[data-does="near"]').hidden = !where;
  const original = $("#original");
  original.href = result.url;
  original.download = result.name.slice(cut);
}

// --- commands

const move = (step) => moveTo(place() + step);

function moveTo(at) {
  if (place() < 0 || !shown[at]) return;
  view(shown[at]);
  app.replacePhoto(photo.name);
}

const filterBy = (filters) => app.go({ ...NOTHING, filters, sort: "newest" });

const COMMANDS = {
  previous: () => move(-1),
  next: () => move(1),
  close: () => app.leave(),
  like: () => app.go(plus(NOTHING, "like", photo.name)),
  less: () => app.lessLike(photo.name),
  details: () => ($("#details").hidden = !$("#details").hidden),
  folder: () => filterBy({ folder: [photo.name.slice(0, photo.name.lastIndexOf("/") + 1)] }),
  near: () => filterBy({ near: [`${photo.place.latitude},${photo.place.longitude},1`] }),
  async copy() {
    const url = new URL(`?${new URLSearchParams({ photo: photo.name })}`, location).href;
    const isCopied = await navigator.clipboard?.writeText(url).then(() => true, () => false);
    said.textContent = isCopied ? "Link copied." : `Copy this link yourself: ${url}`;
  },
};

viewer.addEventListener("click", (event) => {
  const does = event.target.closest("[data-does]")?.dataset.does;
  if (does && (photo || does === "close")) COMMANDS[does]();
});
viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const to = { ArrowLeft: place() - 1, ArrowRight: place() + 1, Home: 0, End: shown.length - 1 };
  if (event.key in to) {
    event.preventDefault();
    moveTo(to[event.key]);
  }
  if (event.key === "Escape") {
    event.preventDefault();
    app.leave();
  }
  if (event.key === "i" && photo) COMMANDS.details();
  if (event.key === "l" && photo) COMMANDS.like();
});
viewer.addEventListener("cancel", (event) => { // the back gesture of a phone
  event.preventDefault();
  app.leave();
});
