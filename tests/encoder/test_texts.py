"""What of a text reaches the model, for the committed bundles: tokens and vectors."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer

from clipsearch.model.encoder import Encoder
from clipsearch.text import plain
from model_export.demo import BUNDLE
from tests.encoder.conftest import GOLDEN

FOLDERS = [GOLDEN / "tiny-clip", GOLDEN / "tiny-clip-int8", BUNDLE]

SPACES = "\t\n\v\f\r\x1c\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"
FULL_WIDTH = "".join(chr(ord(c) + 0xFEE0) for c in "two") + "\u3000blue mushrooms"

INVISIBLE = "\0\x1b\x7f\x9f\xad\u061c\u200b\u200c\u200d\u200e\u202e\u2060\u2068\ufe0f\ufeff\ud800"
INVISIBLE += "\u034f\u3164\uffa0\ufff9\U000e0001\U000e0041\U000e0100"


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def any_encoder(request: pytest.FixtureRequest) -> Encoder:
    return Encoder.from_folder(request.param)


def tokens(encoder: Encoder, text: str) -> list[int]:
    return encoder.tokenize([text])[0][0]


@pytest.mark.parametrize(
    "text",
    [
        *(f"two blue{space}mushrooms" for space in SPACES),
        *(f"two blu{invisible}e mushrooms" for invisible in INVISIBLE),
        "\t two  blue \r\n mushrooms\xa0",
        "\u202atwo\u202c \u2067blue\u2069 \u200fmushrooms\u200f\ufeff",
        "two \u200b blue \u200d mushrooms\ufe0f",
        FULL_WIDTH,
        "two&nbsp;blue&#32;mushroom&amp;#115;",
    ],
    ids=ascii,
)
def test_what_nobody_sees_changes_nothing(any_encoder, text):
    texts = ["two blue mushrooms", text]
    (usual, found), _ = any_encoder.tokenize(texts)
    assert found == usual
    one, other = any_encoder.encode_text(texts).vectors
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("a dog\u2019s bowl", "a dog's bowl"),
        ("\u201ctwo\u201d \u2018blue\u2019", "\"two\" 'blue'"),
        ("fish &amp; chips", "fish & chips"),
        ("fish &amp;amp; chips", "fish & chips"),
        ("caf&eacute;", "café"),
        ("\ufb01re and \ufb02ower", "fire and flower"),
        ("\uff76\uff9e", "ガ"),
    ],
)
def test_what_openai_cleans_is_cleaned(any_encoder, text, usual):
    assert tokens(any_encoder, text) == tokens(any_encoder, usual)


@pytest.mark.parametrize("space", [*SPACES, *INVISIBLE, "\u200d\ufe0f\u200c", "&nbsp;"], ids=ascii)
def test_nothing_visible_is_an_empty_text(any_encoder, space):
    assert plain(space) == plain(f" {space} ") == ""
    assert tokens(any_encoder, space) == tokens(any_encoder, "")


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d💻 at work",
        "👨\u200d👩\u200d👧",
        "❤\ufe0f\u200d🔥 and ❤\ufe0f",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "क्\u200dष",
        "AT&T, R&D: 2 \u00d7 3 \u2013 5 — 6 … x² ½",
        "赤い車の写真 красная машина 🐱🎈",
    ],
    ids=ascii,
)
def test_the_rest_stays_as_it_is_typed(text):
    assert plain(text) == text


@pytest.mark.parametrize("typed", ["<|endoftext|>", "<|startoftext|>", "<|ENDOFTEXT|>"])
def test_a_typed_special_token_hides_nothing(any_encoder, typed):
    (start, *row, end), other = (tokens(any_encoder, f"{typed} {word}") for word in ("cat", "dog"))
    assert not {start, end} & set(row)
    assert [start, *row, end] != other
    cat, dog = any_encoder.encode_text([f"{typed} cat", f"{typed} dog"]).vectors
    assert np.abs(cat - dog).max() > 1e-3


def test_ordinary_texts_get_the_tokens_of_tokenizer_json(any_encoder, request):
    """With start and end, which the post-processor adds."""
    folder = request.node.callspec.params["any_encoder"]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in ("a", "a photo of a cat", "it's 12,345.67 €? <b>100%</b> & more…", "赤い車 🐱"):
        length = any_encoder.bundle.context_length
        ids = tokenizer.encode(text).ids
        assert tokens(any_encoder, text) == (
            [*ids[: length - 1], ids[-1]] if len(ids) > length else ids
        )
