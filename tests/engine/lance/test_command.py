"""`clipsearch mirror`: one run, and what it prints."""

from __future__ import annotations

import json

import pytest

from cli.main import main
from clipsearch.engine.lance_table import LanceTable
from clipsearch.engine.state import newest_state, table_path
from clipsearch.index.format.segments import segment_path, write_segment
from clipsearch.index.search.filter import ALL
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage.local import FolderBucket
from tests.index.making import photo, random_units, tombstone
from tests.support.tiny_bundle import DIM, make_tiny_bundle


@pytest.fixture
def bucket(tmp_path):
    return FolderBucket(tmp_path / "index")


@pytest.fixture
def space(bucket, tmp_path):
    return publish_bundle(make_tiny_bundle(tmp_path / "bundle"), bucket)


def test_it_mirrors_what_is_new_and_says_so(bucket, space, capsys):
    vectors = random_units(3, DIM)
    for name, vector in zip("abc", vectors, strict=True):
        write_segment(bucket, space, [photo(name, 1, vector)])
    assert main(["mirror", "--index", str(bucket.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out).items() >= {"segments": 3, "photos": 3}.items()
    write_segment(bucket, space, [tombstone("a", 1)])
    assert main(["mirror", "--index", str(bucket.root)]) == 0
    said = capsys.readouterr().out
    assert "1 new entries of 1 segments; the mirror has 2 photos" in said
    state = newest_state(bucket, space)
    assert state is not None
    table = LanceTable(f"{bucket.url}/{table_path(space, state.table)}", DIM, None)
    entries = table.opened().best(vectors[1], 3, ALL).entries
    assert {entries.name(row) for row in range(len(entries))} == {"b", "c"}


def test_a_damaged_segment_is_named_and_the_code_is_1(bucket, space, capsys):
    name = write_segment(bucket, space, [photo("a", 1, random_units(1, DIM)[0])])
    (bucket.root / segment_path(space, name)).write_bytes(b"no segment")
    assert main(["mirror", "--index", str(bucket.root)]) == 1
    assert f"damaged: {segment_path(space, name)}" in capsys.readouterr().out


def test_without_a_model_it_refuses(tmp_path, capsys):
    assert main(["mirror", "--index", str(tmp_path)]) == 1
    assert "the current model in" in capsys.readouterr().err
