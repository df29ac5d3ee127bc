"""`clipsearch duplicates`: what it prints."""

import json

import pytest

from cli.main import main
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.segments import write_segment
from clipsearch.storage import open_bucket
from tests.index.making import SPACE, random_units, tombstone

ONE, OTHER = random_units(2, 16)
# The hashes of two pictures, and of a version of the first.
HASH, ITS_VERSION, OTHERS = 0x0F0F_F0F0_3333_CCCC, 0x0F0F_F0F0_3333_CCCF, 0x5555_AAAA_0F0F_1111


def photo(name, vector, hash, size=(400, 300), weight=100_000):
    facts = None if hash is None else Facts(format="JPEG", size=weight, hash=hash)
    width, height = size
    return Entry(name, 1, Kind.VECTOR, width, height, 1, vector=vector, facts=facts)


@pytest.fixture
def ran(tmp_path, capsys, monkeypatch):
    """Write these entries, and run the command; returns its exit code and both streams."""
    monkeypatch.delenv("CLIPSEARCH_MODEL", raising=False)

    def run(entries, *arguments):
        bucket = open_bucket(tmp_path.as_uri())
        if entries:
            write_segment(bucket, SPACE, entries)
        before = sorted(found.name for found in bucket.list(""))
        code = main(["duplicates", "--index", str(tmp_path), "--space", SPACE, *arguments])
        assert sorted(found.name for found in bucket.list("")) == before
        return code, *capsys.readouterr()

    return run


LIBRARY = [
    photo("alone.jpg", OTHER, HASH),
    photo("copy.jpg", ONE, HASH, weight=50_000),
    photo("small.jpg", ONE, ITS_VERSION, (200, 150), 20_000),
    photo("large.jpg", ONE, HASH, (400, 300), 2_500_000),
    photo("other.jpg", OTHER, OTHERS),
    photo("its copy.jpg", OTHER, OTHERS, (40, 30), 0),
    photo("gone.jpg", ONE, HASH),
    tombstone("gone.jpg", 1),
]


def test_each_stack_is_a_paragraph_with_the_largest_photo_first(ran):
    code, out, err = ran(LIBRARY)
    assert (code, err) == (0, "")
    first, rest = out.split("\n", 1)
    assert first == f"reading the index of model {SPACE}"
    assert rest.split("\n\n") == [
        "large.jpg  400 x 300, 2.5 MB\ncopy.jpg  400 x 300, 50 kB\nsmall.jpg  200 x 150, 20 kB",
        "other.jpg  400 x 300, 100 kB\nits copy.jpg  40 x 30",
        "6 photos, 2 stacks; 3 photos are like the first of their stack, 70 kB; "
        "nothing was deleted\n",
    ]


def test_json_is_one_document(ran):
    code, out, _ = ran(LIBRARY, "--json")
    found = json.loads(out)
    assert (code, found["photos"], found["without_facts"]) == (0, 6, 0)
    names = [[one["name"] for one in stack] for stack in found["stacks"]]
    assert names == [["large.jpg", "copy.jpg", "small.jpg"], ["other.jpg", "its copy.jpg"]]
    assert found["stacks"][1][1] == {
        "name": "its copy.jpg", "width": 40, "height": 30, "bytes": None,
    }  # fmt: skip


def test_photos_without_facts_are_counted(ran):
    code, out, _ = ran([photo("a.jpg", ONE, None), photo("b.jpg", ONE, None)], "--quiet")
    assert (code, out) == (
        0,
        "2 photos, no near-duplicates\n2 photos have no facts yet: run clipsearch reconcile\n",
    )


def test_without_photos_it_says_so(ran):
    code, out, err = ran([], "--quiet")
    assert (code, out) == (1, "")
    assert f"the model {SPACE}" in err


def test_a_bucket_of_photos_needs_its_index(capsys):
    assert main(["duplicates", "--photos", "gs://photos"]) == 2
    assert "name the index of gs://photos with --index" in capsys.readouterr().err


def test_names_of_two_lines_stay_on_one(ran):
    _, out, _ = ran([photo("a\nb.jpg", ONE, HASH), photo("c.jpg", ONE, HASH)], "--quiet")
    assert len(out.split("\n\n")[0].splitlines()) == 2
