// The list of keys.
import { element } from "./search.js";

const KEYS = [
  ["/", "Search field"],
  ["← → ↑ ↓", "Next photo in this direction"],
  ["Home End", "First photo, last photo"],
  ["Enter", "Open the photo"],
  ["l", "More like this"],
  ["x", "Select the photo; with Shift all up to it"],
  ["i", "Details of the open photo"],
  ["Esc", "Close"],
  ["?", "These keys"],
];

const lines = KEYS.flatMap(([key, does]) => [element("dt", key), element("dd", does)]);
const title = element("h2", "Keys");
title.id = "keys-title";
const dialog = element("dialog", "", title, element("dl", "", ...lines), element("button", "Close"));
dialog.id = "keys";
dialog.setAttribute("aria-labelledby", title.id);
dialog.addEventListener("click", () => dialog.close());
document.body.append(dialog);

export const show = () => dialog.showModal();
