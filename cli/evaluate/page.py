"""The report as one HTML file that works without a network."""

from __future__ import annotations

from html import escape
from typing import Any

from cli.evaluate.measure import KS
from cli.evaluate.plot import plot
from cli.evaluate.published import SOURCE
from cli.evaluate.reliability import reliability_plot
from cli.evaluate.report import (
    NOTE,
    WAYS,
    Row,
    measured_rows,
    published_rows,
    sentences,
)

STYLE = """
:root { color-scheme: light dark; --search: #b3261e; --exact: #6b6b6b; --back: #1f5fbf;
  --line: #d0d0d0; }
@media (prefers-color-scheme: dark) { :root { --search: #ff8a80; --exact: #b0b0b0;
  --back: #8ab4f8; --line: #444; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; font-weight: normal; }
caption { text-align: left; font-weight: bold; }
svg { width: 100%; height: auto; }
svg text { font-size: 13px; fill: currentColor; }
svg .grid { stroke: var(--line); }
svg g { stroke: var(--c); fill: var(--c); }
svg polyline { fill: none; stroke-width: 2; }
.text_to_image { --c: var(--search); } .text_to_image_exact { --c: var(--exact); }
.image_to_text { --c: var(--back); }
.text_to_image_exact polyline { stroke-width: 8; opacity: .45; }
.published { opacity: .55; } .published circle { fill: none; }
.published polyline { stroke-dasharray: 2 3; }
.key i { display: inline-block; width: 1.6em; border-top: 3px solid var(--c);
  margin: 0 .4em .25em; }
.key span { white-space: nowrap; }
"""


def page(figures: dict[str, Any]) -> str:
    facts = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in sentences(figures))
    keys = "".join(
        f'<span class="{way}"><i></i>{escape(label)}</span> ' for way, label in WAYS.items()
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>How well captions find their photos: {escape(figures["model"])}</title>
<style>{STYLE}</style>
<h1>How well captions find their photos</h1>
<p>{escape(figures["model"])}, space <code>{escape(figures["space"])}</code>,
index <code>{escape(figures["index"])}</code>, captions
<code>{escape(figures["file"])}</code>, {escape(figures["at"])}.</p>
<ul>
{facts}
</ul>
{_table("Measured", measured_rows(figures))}
{plot(figures)}
<p class="key">{keys}<br>Hollow and faint: published.</p>
{_table("Published", published_rows(figures))}
<p>{escape(SOURCE)}. {escape(NOTE)}</p>
{_reliability(figures["matching"])}
</html>
"""


def _reliability(matching: dict[str, Any] | None) -> str:
    if matching is None:
        return ""
    return (
        "<h2>How far you can trust the confidence</h2>\n"
        "<p>First pages of all captions. On the line, a confidence is what it says. Larger dots "
        f"are more photos.</p>\n{reliability_plot(matching['calibration'])}"
    )


def _table(caption: str, rows: list[Row]) -> str:
    head = "".join(f'<th scope="col">R@{k}</th>' for k in KS)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row.label)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in row.cells)
        + "</tr>"
        for row in rows
    )
    return (
        f'<table>\n<caption>{caption}</caption>\n<tr><th scope="col">recall</th>{head}</tr>\n'
        f"{body}\n</table>"
    )
