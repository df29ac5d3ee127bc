"""Photos that go, or whose events come, while the bucket is compared."""

from clipsearch.index.format.segments import write_segment
from tests.index.making import tombstone
from tests.support.buckets import HookedBucket
from tests.support.pictures import jpeg


def test_a_photo_that_went_after_the_listing_is_left_out(cloud):
    def delete(method, name):
        if (method, name) == ("read", "gone.jpg"):
            cloud.delete(name)

    cloud.put("gone.jpg", jpeg())
    cloud.put("stays.jpg", jpeg())
    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, before=delete)
    assert cloud.reconcile() == 200
    assert list(cloud.known()) == ["stays.jpg"]
    assert len(cloud.thumbnail_names()) == 1
    assert cloud.counts() == (2, 1, 0, 0)  # two were listed; nobody waits for the other one


def test_a_photo_that_goes_while_it_is_indexed_does_not_stay_found(cloud):
    """Also where its own deletion would lose: its entry overrules a later generation."""

    def delete(method, name):
        if method == "read":
            assert cloud.send(*cloud.delete(name)) == 200

    for name in ("a.jpg", "b.jpg"):
        cloud.put(name, jpeg())
    write_segment(cloud.index, cloud.space, [tombstone("a.jpg", cloud.newest["a.jpg"] + 1)])
    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, after=delete)
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == {}
    assert cloud.thumbnail_names() == set()


def test_an_event_of_the_same_photo_at_the_same_time_changes_nothing(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    events = [event]

    def be_faster(method, name):
        if method == "read" and events:
            assert cloud.send(events.pop()) == 200

    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, before=be_faster)
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}
    assert cloud.has_thumbnail(event)
    assert len(cloud.segments()) == 2
