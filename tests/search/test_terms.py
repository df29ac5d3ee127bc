"""Several terms in one search: URL, form and JSON mean the same, pages do not tear."""

import base64
import hashlib
import json

import httpx
import numpy as np
import pytest

from search.engine.cursor import decode_cursor, fingerprint
from search.http.terms import TERM_PARAMETERS
from tests.search.conftest import form
from tests.search.test_answers import names
from tests.search.test_errors import assert_problem
from tests.support.pictures import jpeg, png

# terms of a URL, and the same as (kind, value, weight)
SEARCHES = {
    "two texts": ("q=red&q=white", [("text", "red", 1), ("text", "white", 1)]),
    "a text, not another": ("q=red&not=blue", [("text", "red", 1), ("text", "blue", -1)]),
    "unwanted first": ("not=blue&q=red", [("text", "blue", -1), ("text", "red", 1)]),
    "photos": ("like=red.jpg&unlike=blue.jpg", [("like", "red.jpg", 1), ("like", "blue.jpg", -1)]),
    "weights": (
        "q=red&like=white.jpg&not=blue&weight=2,.5,4",
        [("text", "red", 2), ("like", "white.jpg", 0.5), ("text", "blue", -4)],
    ),
    "the same twice": ("q=red&q=red&not=red", [("text", "red", 1)] * 2 + [("text", "red", -1)]),
    "eight": ("&".join(["q=red&not=blue"] * 4), [("text", "red", 1), ("text", "blue", -1)] * 4),
}
MANY = {f"shade{n:02}": (12 * n, 240 - 12 * n, 7 * n) for n in range(20)}


def post_json(client, body, **options):
    return client.post("/search", json=body, **options)


def as_json(terms):
    return {"terms": [{kind: value, "weight": weight} for kind, value, weight in terms]}


def scored(response):
    assert response.status_code == 200, response.text
    return [(result["name"], result["score"]) for result in response.json()["results"]]


def expected(gallery, photos, terms):
    """Names and scores by brute force, best first."""
    encoder = gallery.encoder
    vectors = dict(
        zip(
            photos,
            encoder.encode_image([encoder.decode(data).square for data in photos.values()]),
            strict=True,
        )
    )
    total = np.zeros(len(photos))
    for kind, value, weight in terms:
        asked = vectors[value] if kind == "like" else encoder.encode_text([value]).vectors[0]
        products = np.stack(list(vectors.values())) @ asked
        units = (products - products.mean()) / max(products.std(), 1e-3)
        total += weight * (units if weight > 0 else units.clip(0))
    total /= sum(abs(weight) for _, _, weight in terms)
    named = {value for kind, value, _ in terms if kind == "like"}
    found = {n: s for n, s in zip(photos, total.tolist(), strict=True) if n not in named}
    return sorted(found.items(), key=lambda photo: (-photo[1], photo[0]))


@pytest.mark.parametrize(("query", "terms"), SEARCHES.values(), ids=SEARCHES)
def test_url_form_and_json_find_what_brute_force_finds(gallery, client, query, terms):
    gallery.add(**MANY)
    colours = {"red": "red", "green": "lime", "blue": "blue", "white": "white"} | MANY
    right = expected(gallery, {f"{n}.jpg": jpeg(colour) for n, colour in colours.items()}, terms)
    response = client.get(f"/?{query}&limit=100")
    found = scored(response)
    assert [score for _, score in found] == pytest.approx([s for _, s in right], abs=0.01)
    assert dict(found) == pytest.approx(dict(right), abs=0.01)
    assert all(result["similarity"] is None for result in response.json()["results"])
    assert scored(post_json(client, as_json(terms) | {"limit": 100})) == found
    fields = [pair.split("=") for pair in f"{query}&limit=100".split("&")]
    assert scored(client.post(**form(*((n, None, v.encode()) for n, v in fields)))) == found


@pytest.mark.parametrize("limit", [1, 3, 10])
@pytest.mark.parametrize(("query", "terms"), SEARCHES.values(), ids=SEARCHES)
def test_pages_have_every_photo_once(gallery, client, query, terms, limit):
    gallery.add(**MANY)
    whole = scored(client.get(f"/?{query}&limit=100"))
    by_address, by_json, cursor = [], [], None
    while True:
        page = client.get(f"/?{query}&limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        same = post_json(client, as_json(terms) | {"limit": limit, "cursor": cursor})
        by_address += scored(page)
        by_json += scored(same)
        cursor = page.json()["next_cursor"]
        assert same.json()["next_cursor"] == cursor
        if cursor is None:
            break
    assert by_address == by_json == whole


def test_pages_do_not_tear_while_photos_are_added(gallery, client):
    """New photos change the sample; the cursor keeps the balance of the first page."""
    gallery.add(**MANY)
    before = names(client.get("/?q=red&not=blue&limit=100"))
    found, cursor = [], None
    for number in range(100):
        answer = client.get(f"/?q=red&not=blue&limit=3{f'&cursor={cursor}' if cursor else ''}")
        found += names(answer)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
        gallery.add(**{f"new{number}": (0, 3 * number, 255 - number)})
    assert len(found) == len(set(found))
    assert [name for name in found if name in before] == before


def test_one_term_is_todays_search_however_it_is_sent(gallery, client):
    gallery.add(**MANY)
    today = client.get("/?q=red&limit=3").json()
    assert all(0 < r["score"] <= 1 for r in today["results"])
    assert all(r["similarity"] == round(100 * r["score"], 4) for r in today["results"])
    cursor = decode_cursor(today["next_cursor"])
    assert cursor.fingerprint == fingerprint(gallery.space, "red", None, None, None)
    assert cursor.balances == ()
    others = [
        client.get("/?q=red&limit=3&weight=7"),
        post_json(client, {"terms": [{"text": "red"}], "limit": 3}),
        post_json(client, {"terms": [{"text": " red ", "weight": 0.3}], "limit": 3}),
    ]
    for other in others:
        assert other.json()["results"] == today["results"]
        assert other.json()["next_cursor"] == today["next_cursor"]


def test_a_picture_in_json_is_a_file_or_a_vector(client):
    by_form = client.post_image(png("red"), q="white")
    encoded = base64.encodebytes(png("red")).decode()  # with line breaks
    vector = client.post("/embed", files={"image": png("red")}).json()["picture"]
    for picture in (encoded, vector):
        terms = [{"text": "white"}, {"picture": picture}]
        found = scored(post_json(client, {"terms": terms}))
        assert dict(found) == pytest.approx(dict(scored(by_form)), abs=0.02)
    alone = post_json(client, {"terms": [{"picture": encoded}]})
    assert scored(alone) == scored(client.post_image(png("red")))
    unwanted = {"terms": [{"text": "red"}, {"picture": encoded, "weight": -4}]}
    assert scored(post_json(client, unwanted))[-1][0] == "red.jpg"


def test_words_and_a_picture_are_two_terms(client):
    """The picture of a form is the last term, so its weight is the last one."""
    both = client.post_image(png("red"), q="blue")
    assert set(names(both)[:2]) == {"red.jpg", "blue.jpg"}
    for weights, best in (("4,1", "blue.jpg"), ("1,4", "red.jpg")):
        assert names(client.post_image(png("red"), q="blue", weight=weights))[0] == best


def test_a_cursor_belongs_to_terms_and_weights(client):
    cursor = client.get("/?q=red&not=blue&limit=1").json()["next_cursor"]
    assert client.get(f"/?q=red&not=blue&limit=1&cursor={cursor}").status_code == 200
    said = "cursor belongs to another query"
    for query in ("q=red", "q=red&q=blue", "not=blue&q=red", "q=red&not=blue&weight=1,2"):
        assert_problem(client.get(f"/?{query}&cursor={cursor}"), 400, said)
    cut = cursor.partition(".")[0]
    assert_problem(client.get(f"/?q=red&not=blue&cursor={cut}"), 400, "cursor is incomplete")
    assert_problem(client.get(f"/?q=red&not=blue&cursor={cut}.AAAA"), 400, "invalid cursor")
    zero = base64.urlsafe_b64encode(bytes(16)).rstrip(b"=").decode()
    assert_problem(client.get(f"/?q=red&not=blue&cursor={cut}.{zero}"), 400, "invalid cursor")


def test_a_term_that_is_not_indexed_is_a_404(client):
    assert_problem(client.get("/?q=red&unlike=nobody.jpg"), 404, "'nobody.jpg'")
    terms = [{"text": "red"}, {"like": "nobody.jpg"}]
    assert_problem(post_json(client, {"terms": terms}), 404, "'nobody.jpg'")


RED = {"text": "red"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "the body must be an object"),
        ({"terms": {}}, "terms must be a list"),
        ({"terms": ["red"]}, "terms[0] must be an object, not '\"red\"'"),
        ({"terms": [{}]}, "terms[0] must have exactly one of text, like, picture"),
        ({"terms": [RED | {"like": "a"}]}, "exactly one of text, like, picture"),
        ({"terms": [RED | {"not": "a"}]}, "terms[0] has the unknown key 'not'; allowed: text"),
        ({"terms": [RED, {"text": " "}]}, "terms[1].text is empty"),
        ({"terms": [{"text": 1}]}, "terms[0].text must be a string, not '1'"),
        ({"terms": [{"like": "\ud800"}]}, "terms[0].like has half of a surrogate pair"),
        ({"terms": [{"picture": "AAAA"}]}, "terms[0].picture is neither a picture file"),
        ({"terms": [{"picture": "ü"}]}, "terms[0].picture is neither a picture file"),
        ({"terms": [RED] * 9}, "9 terms; give at most 8"),
        ({"terms": [RED | {"weight": -1}]}, "all terms are unwanted"),
        ({"terms": [RED], "limit": 0}, "limit must be a whole number from 1 to 100, not '0'"),
        ({"terms": [RED], "limit": True}, "limit must be a whole number"),
        ({"terms": [RED], "limit": "3"}, "limit must be a whole number"),
        ({"terms": [RED], "cursor": 1}, "cursor must be a string"),
        ({"terms": [RED], "cursor": "abc"}, "invalid cursor 'abc'"),
        ({"terms": [RED], "filters": {}}, "the body has the unknown key 'filters'"),
        *(
            ({"terms": [RED, RED | {"weight": weight}]}, "terms[1].weight must be a number from")
            for weight in (0, 1e-9, 101, 10**400, float("nan"), float("inf"), True, "1", None)
        ),
    ],
    ids=str,
)
def test_a_bad_json_query_is_a_400(client, body, said):
    data = json.dumps(body)
    response = client.post("/search", content=data, headers={"Content-Type": "application/json"})
    assert_problem(response, 400, said)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_a_400(client, body):
    response = client.post("/search", content=body, headers={"Content-Type": "application/json"})
    assert_problem(response, 400, "the body is not valid JSON")


def test_json_has_its_content_type_and_no_parameters(client):
    said = "post the search as application/json"
    assert_problem(client.post("/search", content=b"{}"), 415, said)
    assert_problem(client.post("/search", files={"image": png("red")}), 415, said)
    assert_problem(client.post("/search?q=red", json={"terms": [RED]}), 400, "unknown parameter")
    large = {"terms": [{"picture": "A" * 20_300_000}]}
    assert_problem(post_json(client, large), 413, "the request is too large")
    document = base64.b64encode(b"%PDF-1.7" + bytes(30_000)).decode()
    assert_problem(post_json(client, {"terms": [{"picture": document}]}), 422, "a PDF document")


def test_a_started_function_answers_json_with_and_without_a_picture(server):
    encoded = base64.b64encode(png("red")).decode()
    for terms in ([{"text": "red"}], [{"text": "red"}, {"picture": encoded}]):
        response = httpx.post(f"{server}/search", json={"terms": terms}, timeout=60)
        assert names(response)[0] == "red.jpg"


def test_every_kind_of_term_may_be_repeated(client):
    vector = client.post("/embed", files={"image": png("red")}).json()["picture"]
    values = {"q": "red", "not": "blue", "like": "red.jpg", "unlike": "blue.jpg", "picture": vector}
    assert values.keys() == set(TERM_PARAMETERS) - {"url"}
    for name, value in values.items():
        pairs = [("q", "red"), (name, value), (name, value)]
        assert client.get("/", params=pairs).status_code == 200


def test_the_sample_is_the_one_of_the_smallest_hashes(gallery, client, monkeypatch):
    """So that every instance has the same one, whatever the order of its uploads."""
    gallery.add(**MANY)
    monkeypatch.setattr("clipsearch.index.search.state.SAMPLE", 4)
    answer = client.get("/?q=red&q=white&limit=1").json()
    colours = {"red": "red", "green": "lime", "blue": "blue", "white": "white"} | MANY
    photos = {f"{name}.jpg": jpeg(colour) for name, colour in colours.items()}
    chosen = sorted(photos, key=lambda name: hashlib.sha256(name.encode()).digest())[:4]
    encoder = gallery.encoder
    vectors = encoder.encode_image([encoder.decode(photos[name]).square for name in chosen])
    products = vectors @ encoder.encode_text(["red", "white"]).vectors.T
    means = [mean for mean, _ in decode_cursor(answer["next_cursor"]).balances]
    assert means == pytest.approx(products.mean(0).tolist(), abs=1e-4)
