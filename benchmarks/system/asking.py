"""The requests to both sides, as bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import quote, quote_plus

Side = Literal["theirs", "ours"]
Kind = Literal["text", "picture", "like"]
SIDES: tuple[Side, ...] = ("theirs", "ours")
KINDS: tuple[Kind, ...] = ("text", "picture", "like")
BEST = 20

# Each word is one token of the benchmark's tokenizer, like most words in CLIP's.
SENTENCE = (
    "two blue mushrooms a white boat at sunset dog and child playing in the snow car people "
    "waiting train station photo of an old wooden house by sea"
)
WORDS = SENTENCE.split()


def requests(
    side: Side, kind: Kind, names: Sequence[str], pictures: Sequence[bytes], seed: int
) -> Iterator[bytes]:
    """Endless requests, different for each `seed`. A text has 3 to 8 words and never repeats,
    because ours caches texts. `like` asks for one of `names`; theirs gets a picture instead."""
    chance = random.Random(seed)
    asked: set[str] = set()
    while True:
        if kind == "text":
            text = sentence(chance)
            if text not in asked:
                asked.add(text)
                yield text_request(side, text)
        elif kind == "like" and side == "ours":
            yield _get(f"/?like={quote(chance.choice(names), safe='')}&limit={BEST}")
        else:
            path = f"/?limit={BEST}" if side == "ours" else "/picture"
            yield _post(path, chance.choice(pictures))


def sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(3, 8)))


def text_request(side: Side, text: str) -> bytes:
    asked = quote_plus(text)
    return _get(f"/?q={asked}&limit={BEST}" if side == "ours" else f"/text?query={asked}")


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def _post(path: str, picture: bytes) -> bytes:
    part = 'Content-Disposition: form-data; name="image"; filename="picture.jpg"'
    body = f"--edge\r\n{part}\r\nContent-Type: image/jpeg\r\n\r\n".encode() + picture
    body += b"\r\n--edge--\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Content-Type: multipart/form-data; boundary=edge\r\n\r\n".encode() + body
