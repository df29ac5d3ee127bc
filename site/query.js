// What is asked, and its address: {terms, filters, sort, photo}.
// terms: [{kind, value, weight}] in order. filters: name → list of texts. photo: in the viewer.

export const KINDS = ["q", "not", "like", "unlike", "picture"];
export const FILTERS = [
  "folder", "name", "after", "before", "near", "orientation", "format", "min_megapixels",
];
export const MAX_TERMS = 8; // the limit of search
const OPPOSITE = { q: "not", not: "q", like: "unlike", unlike: "like" };

export const NOTHING = { terms: [], filters: {}, sort: null, photo: null };

export const isText = ({ kind }) => kind === "q" || kind === "not";
export const isUnwanted = ({ kind }) => kind === "not" || kind === "unlike";
export const isStart = ({ terms, filters, sort }) =>
  !terms.length && !Object.keys(filters).length && !sort;

// Reads the query string of an address. Ignores what it does not know.
export function parse(search) {
  const given = new URLSearchParams(search);
  const terms = [...given]
    .filter(([kind, value]) => KINDS.includes(kind) && value.trim())
    .map(([kind, value]) => ({ kind, value: /like/.test(kind) ? value : value.trim(), weight: 1 }));
  const weights = given.get("weight")?.split(",").map(Number) ?? [];
  if (weights.length === terms.length) terms.forEach((term, n) => (term.weight = weights[n] || 1));
  const filters = {};
  for (const name of FILTERS) {
    const values = given.getAll(name).filter(Boolean);
    if (values.length) filters[name] = values;
  }
  return { terms, filters, sort: given.get("sort"), photo: given.get("photo") };
}

// The parameters of the search function.
export function parameters({ terms, filters, sort }) {
  const written = new URLSearchParams(terms.map(({ kind, value }) => [kind, value]));
  if (terms.some(({ weight }) => weight !== 1)) {
    written.set("weight", terms.map(({ weight }) => weight).join());
  }
  for (const [name, values] of Object.entries(filters)) {
    for (const value of values) written.append(name, value);
  }
  if (sort) written.set("sort", sort);
  return written;
}

// The address in this page, from "?" on.
export function address(query) {
  const written = parameters(query);
  if (query.photo) written.set("photo", query.photo);
  return `?${written}`;
}

// The query with one more term. A repeated value replaces the old one.
export function plus(query, kind, value) {
  const others = query.terms.filter((term) => term.value !== value || isText(term) !== isText({ kind }));
  return { ...query, photo: null, terms: [...others, { kind, value, weight: 1 }] };
}

export const without = (query, term) => ({
  ...query,
  photo: null,
  terms: query.terms.filter((it) => it !== term),
});

// The query in which `term` is unwanted instead of wanted, or the other way round.
export const turned = (query, term) => ({
  ...query,
  photo: null,
  terms: query.terms.map((it) => (it === term ? { ...it, kind: OPPOSITE[it.kind] } : it)),
});

export const canTurn = ({ kind }) => kind in OPPOSITE;

// The query with a filter set to `values`; an empty list takes it away.
export function filtered(query, name, ...values) {
  const { [name]: _, ...others } = query.filters;
  return { ...query, photo: null, filters: values.length ? { ...others, [name]: values } : others };
}

// The typed text as a term: "-snow" is unwanted.
export function typed(text) {
  const words = text.trim();
  return /^-\s*\S/.test(words) ? ["not", words.slice(1).trim()] : ["q", words];
}

// In words, for the title and the recent searches.
export function describe({ terms, filters, sort }) {
  const said = terms.map((term) => {
    const name = term.kind === "picture" ? "a picture" : term.value;
    return (isUnwanted(term) ? "not " : "") + name;
  });
  said.push(...Object.values(filters).flat());
  if (!said.length && sort) said.push("all photos");
  return said.join(", ");
}

// --- years and months

export const MONTHS = Array.from({ length: 12 }, (_, n) =>
  new Date(Date.UTC(2000, n)).toLocaleString("en", { month: "long", timeZone: "UTC" }));
const two = (number) => String(number).padStart(2, "0");

// The filters `after` and `before` of a year or, with `month` (1 to 12), of a month.
export function period(year, month) {
  if (!month) return [`${year}`, `${year + 1}`];
  const next = month === 12 ? `${year + 1}-01` : `${year}-${two(month + 1)}`;
  return [`${year}-${two(month)}`, next];
}

// {year, month} if the filters are those of a year or a month.
export function periodOf({ after: [after] = [], before: [before] = [] }) {
  const [year, month] = (after ?? "").split("-").map(Number);
  return year && String(period(year, month)) === String([after, before]) ? { year, month } : null;
}

// "July 2023" in place of two filters; null for other times.
export function periodName(filters) {
  const found = periodOf(filters);
  return found && [MONTHS[found.month - 1], found.year].filter(Boolean).join(" ");
}

export const withoutPeriod = (asked) => filtered(filtered(asked, "after"), "before");
