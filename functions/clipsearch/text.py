"""Normalises texts for the model, and escapes names for the terminal.

OpenAI's tokenizer first cleans a text with `ftfy` and `html.unescape` (twice). `plain` covers what
people type or paste: curly quotes (phones type them), full-width and half-width forms, ligatures
and HTML entities. Of 41 awkward texts, 22 get OpenAI's tokens without it, 33 with it. Of the other
8, 4 have invisible characters, which OpenAI keeps and a search must ignore. 3 have mojibake
("cafÃ©"), 1 a terminal escape sequence; `ftfy` would repair these 4. But it takes 60 ms of a cold
start and 6 MB, so it is not a dependency.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata

# Invisible: Default_Ignorable_Code_Point of Unicode, controls other than white space, annotation
# marks, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b"
    "\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e00ff"
    "\U000e01f0-\U000e0fff]+"
)

# Parts of emoji and of words in some scripts (Persian, Hindi, Mongolian). OpenAI's tokenizer keeps
# them and the model was trained with them. So they are kept wherever they join something.
_JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef"
_JOINED = rf"[^\x00-\x7f\s{_JOINERS}{_SELECTORS}]"
_JOINING = re.compile(
    rf"({_JOINED}[{_SELECTORS}]*(?:[{_JOINERS}](?={_JOINED}))?"
    r"|[0-9#*]\ufe0f(?=\u20e3))"  # keycap emoji
    rf"|[{_JOINERS}{_SELECTORS}]+"
)

_REPLACED = {
    **dict.fromkeys((0x02BC, *range(0x2018, 0x201C)), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
    **{  # full-width and half-width forms, ligatures
        code: unicodedata.normalize("NFKC", chr(code))
        for code in (*range(0xFF01, 0xFFF0), *range(0xFB00, 0xFB07))
    },
}

MOST_SHOWN = 200  # characters of a path or a name in a message

# Characters that move a terminal's cursor or change its text direction: C0 and C1 controls, line
# and paragraph separators, direction marks, embeddings, overrides and isolates. Lone surrogates
# cannot be encoded as UTF-8.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Normalise `text` for the model. Returns "" if nothing of it is visible.

    White space of any kind becomes one space. Invisible characters are removed.
    """
    text = html.unescape(html.unescape(text))
    text = _INVISIBLE.sub("", text)
    text = _JOINING.sub(lambda found: found[1] or "", text)
    return " ".join(text.translate(_REPLACED).split())


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """Cut `text` after `most` characters, so that long input makes no long message."""
    return text if len(text) <= most else text[:most] + "…"


def printable(text: str) -> str:
    """Escape controls in `text` as in JSON (`\\u001b`, `\\n`), for one line of a terminal."""
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def printable_lines(text: str) -> str:
    """Same as `printable`, but keeps line breaks."""
    return "\n".join(map(printable, text.split("\n")))
