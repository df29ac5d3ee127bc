// Filters and order, in menus. Their entries are links, so that Back and new tabs work.
import { closeMenus } from "./chips.js";
import {
  MONTHS, address, filtered, parameters, period, periodOf, withoutPeriod,
} from "./query.js";
import { matchesWell } from "./results.js";
import { ask, element } from "./search.js";

const bar = document.querySelector("#filters");
let query; // of the page
let facets; // a promise of the counts for `query`

const within = (year, month) => {
  const [after, before] = period(year, month);
  return filtered(filtered(query, "after", after), "before", before);
};

// --- the entries of each menu: {text, count, next (the query), isChosen, isPart}

function dates({ years }) {
  const chosen = periodOf(query.filters);
  const entries = years.flatMap(({ year, photos, months }) => {
    const isOpen = chosen?.year === year || years.length === 1;
    const parts = isOpen ? months : [];
    return [
      { text: year, count: photos, next: within(year), isChosen: isOpen && !chosen?.month && chosen },
      ...parts.map(({ month, photos: count }) => ({
        text: MONTHS[month - 1], count, next: within(year, month), isPart: true,
        isChosen: chosen?.year === year && chosen.month === month,
      })),
    ];
  });
  return [any("Any date", withoutPeriod(query), !query.filters.after && !query.filters.before), ...entries];
}

function folders({ folders: found }) {
  const [folder = ""] = query.filters.folder ?? [];
  const above = folder.slice(0, folder.lastIndexOf("/", folder.length - 2) + 1);
  const ups = above ? [{ text: `↑ ${above}`, next: filtered(query, "folder", above) }] : [];
  return [
    any("All folders", filtered(query, "folder"), !folder),
    ...ups,
    ...found.map((it) => ({
      text: it.folder.slice(folder.length), count: it.photos, next: filtered(query, "folder", it.folder),
    })),
  ];
}

const list = (filter, all, rows) => {
  const [chosen] = query.filters[filter] ?? [];
  return [
    any(all, filtered(query, filter), !chosen),
    ...rows.map((row) => ({
      text: filter === "format" ? row[filter].toUpperCase() : row[filter],
      count: row.photos, next: filtered(query, filter, row[filter]), isChosen: chosen === row[filter],
    })),
  ];
};

function orders() {
  const isBest = query.terms.length > 0;
  const names = { ...(isBest && { "": "Best first" }), newest: "Newest first", oldest: "Oldest first" };
  const present = query.sort ?? (isBest ? "" : "newest");
  return Object.entries(names).map(([sort, text]) => ({
    text, next: { ...query, photo: null, sort: sort || null }, isChosen: sort === present,
  }));
}

const any = (text, next, isChosen) => ({ text, next: { ...next, sort: next.sort ?? "newest" }, isChosen });

const MENUS = {
  Date: dates,
  Folder: folders,
  Shape: (it) => list("orientation", "Any shape", it.orientations),
  Format: (it) => list("format", "Any format", it.formats),
  Order: orders,
};

// --- the menus

// `isLeast`: each count is a lower bound.
function entry({ text, count, next, isChosen, isPart }, isLeast) {
  const link = element("a", "", element("bdi", text));
  const item = element("li", "", link);
  // Without a term, any order is an order of all photos.
  link.href = address(next.terms.length && !isOrder(next) ? { ...next, sort: query.sort } : next);
  if (isChosen) link.setAttribute("aria-current", "true");
  if (isPart) item.className = "part";
  if (count !== undefined) link.append(" ", element("span", count.toLocaleString("en") + (isLeast ? "+" : "")));
  return item;
}

const isOrder = (next) => next.filters === query.filters;

// Fills the menu, which has just opened, for the query of the page.
export async function fill(menu, mine) {
  if (query !== mine) [query, facets] = [mine, null];
  const lines = menu.querySelector("ul");
  const entries = MENUS[menu.dataset.menu];
  if (entries !== orders) {
    // Facets count the good matches. Where there are none, count all photos.
    const terms = matchesWell() ? query.terms : [];
    const asked = parameters({ ...query, terms, sort: null });
    facets ??= ask(`/facets?${asked}`);
    lines.replaceChildren(element("li", "Loading…"));
  }
  try {
    const found = entries === orders ? null : await facets;
    if (query === mine) lines.replaceChildren(...entries(found).map((it) => entry(it, found?.estimated)));
  } catch (error) {
    if (query !== mine) return;
    facets = null; // the next opening tries again
    lines.replaceChildren(element("li", error.message));
  }
}

addEventListener("click", (event) => bar.contains(event.target) || closeMenus());
bar.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus());
