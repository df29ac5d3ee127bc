// The list of keys.
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

function node(tag, text, ...children) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.append(...children);
  return made;
}

const lines = KEYS.flatMap(([key, does]) => [node("dt", key), node("dd", does)]);
const title = node("h2", "Keys");
title.id = "keys-title";
const dialog = node("dialog", "", title, node("dl", "", ...lines), node("button", "Close"));
dialog.id = "keys";
dialog.setAttribute("aria-labelledby", title.id);
dialog.addEventListener("click", () => dialog.close());
document.body.append(dialog);

export const show = () => dialog.showModal();
