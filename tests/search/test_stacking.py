"""Pages of stacks, against a plain reference."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from search.engine.stacking import Ranking, Start, results_of

CAP = 12


@dataclass(frozen=True)
class Photo:
    """Photos are near if they have the same picture and their versions differ by 1 at most."""

    name: str
    score: float
    picture: int = 0
    version: int = 0


def place(photo):
    return -photo.score, photo.name


def leaders(photos):
    found = []
    for rank, photo in enumerate(photos):
        near = [
            r
            for r in range(rank)
            if found[r] == r
            and photos[r].picture == photo.picture
            and abs(photos[r].version - photo.version) <= 1
        ]
        found.append(near[0] if near else rank)
    return found


def ranking_of(photos):
    ranked = sorted(photos, key=place)
    return Ranking(
        first=lambda count: ranked[:count],
        behind=lambda count, after: [p for p in ranked if not after or place(p) > after][:count],
        place=place,
        leaders=leaders,
    )


def pages(photos, limit, change=lambda photos: photos, tolerance=0.0, cap=CAP):
    """Results of all pages. `change` makes the photos of the next page."""
    after, given_names, found = None, set(), []
    while True:
        start = Start(after, given_names.__contains__, len(given_names))
        page, _ = results_of(ranking_of(photos), limit, start, cap)
        found += page
        if len(page) < limit:
            return found
        last = page[-1].hit
        after = (-last.score - tolerance, "") if tolerance else place(last)
        if tolerance:
            given_names |= {result.hit.name for result in page}
        photos = change(photos)


def names(results):
    return [photo.name for result in results for photo in (result.hit, *result.also)]


photo_lists = st.lists(
    st.builds(
        Photo,
        name=st.text("abcdefgh", min_size=3, max_size=3),
        score=st.integers(0, 9).map(float),
        picture=st.integers(0, 6),
        version=st.integers(0, 3),
    ),
    max_size=40,
    unique_by=lambda photo: photo.name,
)


@settings(deadline=None, max_examples=60)
@given(photo_lists, st.integers(1, 9))
def test_every_photo_is_once_on_the_pages_in_the_expected_order(photos, limit):
    ranked = sorted(photos, key=place)
    of = [*leaders(ranked[:CAP]), *range(CAP, len(ranked))]
    expected = [
        (ranked[r].name, tuple(ranked[o].name for o in range(r + 1, len(ranked)) if of[o] == r))
        for r in range(len(ranked))
        if of[r] == r
    ]
    found = [
        (result.hit.name, tuple(p.name for p in result.also)) for result in pages(photos, limit)
    ]
    assert found == expected
    alone = [
        (result.hit.name, tuple(p.name for p in result.also))
        for result in pages(photos, limit, cap=0)
    ]
    assert alone == [(photo.name, ()) for photo in ranked]


@settings(deadline=None, max_examples=60)
@given(photo_lists, photo_lists, st.integers(1, 9), st.randoms(use_true_random=False))
def test_photos_that_come_and_go_between_pages_repeat_no_leader(photos, others, limit, chance):
    pool = {photo.name: photo for photo in [*others, *photos]}  # no photo changes its score

    def change(photos):
        return chance.sample([*pool.values()], chance.randint(0, len(pool)))

    found = [result.hit.name for result in pages(photos, limit, change)]
    assert len(set(found)) == len(found)
    assert {*found} <= {*pool}


@settings(deadline=None, max_examples=60)
@given(photo_lists, st.integers(1, 9), st.randoms(use_true_random=False))
def test_other_scores_on_another_instance_neither_repeat_nor_lose_a_stack(photos, limit, chance):
    """Scores differ by less than the tolerance, so that the leader of a stack may be another."""
    photos = [  # near-duplicates are so in any order
        Photo(photo.name, photo.score + photo.picture / 10, photo.picture) for photo in photos
    ][:CAP]

    def change(_):
        return [
            Photo(p.name, p.score + chance.uniform(-0.4, 0.4), p.picture, p.version) for p in photos
        ]

    found = pages(change(photos), limit, change, tolerance=0.8)
    assert sorted({photo.picture for photo in photos}) == sorted(r.hit.picture for r in found)
    assert sorted(names(found)) == sorted(photo.name for photo in photos)
