"""Parts of one answer from two instances whose scores differ, as those of segments and of packs
do: nothing comes twice, and nothing is left out."""

import itertools

import numpy as np
import pytest

from search.engine.cursor import MAX_GIVEN
from tests.search.conftest import Gallery

PHOTOS = 400


@pytest.fixture
def instances(empty_gallery, tmp_path, tiny_bundle, client_of):
    """Makes two clients of the same photos, `spread` apart from each other in vector and score;
    the second has them in float16. `copies`: how many of each."""

    def make(spread, copies=1):
        from clipsearch.index.format.entries import Entry, Kind

        empty_gallery.publish()
        random = np.random.default_rng(0)
        blue = empty_gallery.encoder.encode_text(["blue"]).vectors[0]
        vectors = blue + spread * random.standard_normal((PHOTOS // copies, len(blue)))
        vectors = np.tile(vectors, (copies, 1))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        other = Gallery(tmp_path / "other", tiny_bundle)
        other.publish()
        clients = []
        for gallery, kind in ((empty_gallery, np.float32), (other, np.float16)):
            rows = vectors.astype(kind).astype(np.float32)
            gallery._write(
                [
                    Entry(f"{n:03}.jpg", n + 1, Kind.VECTOR, time_us=1, vector=row)
                    for n, row in enumerate(rows)
                ]
            )
            client = client_of(gallery)
            assert client.get("/status").json()["photos"]["indexed"] == PHOTOS  # in its buckets
            clients.append(client)
        return clients

    return make


def parts(clients, limit, **query):
    """The names of each part of the answer, the clients taking turns."""
    page = {}
    for client in itertools.cycle(clients):
        answer = client.get("/", params={**query, "limit": limit, **page}).json()
        yield [result["name"] for result in answer["results"]]
        if answer["next_cursor"] is None:
            return
        page = {"cursor": answer["next_cursor"]}


@pytest.mark.parametrize("query", [{"q": "blue"}, {"q": ["blue", "red"], "not": "white"}], ids=str)
@pytest.mark.parametrize("limit", [7, 100])
@pytest.mark.parametrize("spread", [1.5e-2, 1e-1], ids=["close together", "apart"])
def test_every_photo_comes_once(instances, spread, limit, query):
    found = list(parts(instances(spread), limit, **query))
    assert [len(part) for part in found[:-1]] == [limit] * (len(found) - 1)
    names = list(itertools.chain(*found))
    assert len(names) == len(set(names)) == PHOTOS


def test_where_too_many_are_as_alike_the_order_alone_does(instances):
    """More equal photos than a cursor can name: of the same instance, still each one once."""
    assert PHOTOS > MAX_GIVEN
    client, _ = instances(0)
    for limit in (7, 100):
        names = list(itertools.chain(*parts([client], limit, q="blue", stack=0)))
        assert names == [f"{n:03}.jpg" for n in range(PHOTOS)]
