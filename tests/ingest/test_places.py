"""How many photos are decoded at once, and for how long each keeps its place."""

import threading

from clipsearch.model.encoder import Encoder
from tests.support.buckets import HookedBucket
from tests.support.pictures import jpeg

PATIENCE_S = 60


def test_a_place_for_decoding_is_free_again_before_the_thumbnail_is_uploaded(cloud, monkeypatch):
    """With one core and a slow storage, photos would otherwise wait for each other's uploads."""
    second_is_decoded, decoded, true_decode = threading.Event(), [], Encoder.decode

    def decode(self, data):
        decoded.append(len(data))
        if len(decoded) == 2:
            second_is_decoded.set()
        return true_decode(self, data)

    def wait(method, name):
        if method == "create":
            assert second_is_decoded.wait(PATIENCE_S), "decoding waits for an upload"

    for colour in ("red", "green", "blue"):
        cloud.put(f"{colour}.jpg", jpeg(colour))
    assert cloud.client
    import ingest.prepare  # the instance's own

    monkeypatch.setattr(ingest.prepare, "cpus", lambda: 1)
    monkeypatch.setattr(Encoder, "decode", decode)
    cloud.services.thumbnails = HookedBucket(cloud.thumbnails, before=wait)
    assert cloud.reconcile() == 200
    assert len(cloud.photos_found()) == 3
