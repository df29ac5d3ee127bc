"""`clipsearch reconcile --space` fills, `clipsearch switch` switches and goes back."""

import pytest

from cli.reconcile import work
from clipsearch.index.format.segments import segments_prefix
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.model.bundle import digest_in
from clipsearch.model.pointer import start_filling
from tests.support.waiting import wait_for_a_tick

LISTED = [f"{number}.jpg" for number in range(8)]


def test_fill_switch_and_settle(buckets, capsys, seen_at_once):
    assert buckets.reconcile("--space", buckets.new) == 0
    assert buckets.pointer() == (buckets.old, buckets.new, None)
    assert buckets.indexed(buckets.new) == buckets.in_folder()
    assert f"next: clipsearch switch {buckets.new}" in capsys.readouterr().out

    assert buckets.switch() == 0
    assert buckets.pointer() == (buckets.new, None, buckets.old)
    printed = capsys.readouterr().out
    assert f"{buckets.new}: 8 of 8 photos are in the index, 100 %" in printed
    assert "clipsearch switch --back" in printed

    assert buckets.reconcile() == 0
    assert buckets.pointer() == (buckets.new, None, None)
    assert f"model {buckets.old} may go" in capsys.readouterr().out
    assert buckets.indexed(buckets.old) == buckets.in_folder()  # nothing of it was deleted


def test_a_plan_of_the_fill_writes_nothing(buckets, capsys):
    before = sorted(buckets.root.rglob("*"))
    assert buckets.reconcile("--space", buckets.new, "--plan") == 0
    printed = capsys.readouterr().out
    assert "to index: 8 (8 missing" in printed
    assert "here: 8 x " in printed
    assert "in the cloud: $" in printed
    assert sorted(buckets.root.rglob("*")) == before


def test_a_fill_is_idempotent_and_goes_on(filled):
    names = {stat.name for stat in filled.index.list(segments_prefix(filled.new))}
    filled.put("late.jpg")
    wait_for_a_tick(filled.root)
    (filled.photos / "0.jpg").unlink()
    assert filled.reconcile("--space", filled.new) == 0
    assert len(names) == 1
    assert filled.pointer() == (filled.old, filled.new, None)
    known = filled.indexed(filled.new)
    assert {name: known[name] for name in filled.in_folder()} == filled.in_folder()


def test_a_filled_space_is_merged_although_it_is_not_current(buckets, monkeypatch):
    monkeypatch.setattr(vars(work)["run"], "LARGEST_INDEX", (1, 10**9, 10**9))
    for number in range(12):
        buckets.put(f"more-{number}.jpg")
    assert buckets.reconcile("--space", buckets.new) == 0
    assert [*buckets.index.list(f"{buckets.new}/commits/")]


def test_an_incomplete_space_is_refused_and_says_what_to_do(buckets, capsys, monkeypatch):
    monkeypatch.setattr("cli.switch.switch.CAUGHT_UP", 2)
    start_filling(buckets.index, buckets.new)
    assert buckets.switch() == 1
    printed = capsys.readouterr()
    assert "0 of 8 photos are in the index, 0 %" in printed.out
    assert f"clipsearch reconcile --space {buckets.new}" in printed.err
    assert "--anyway" in printed.err
    assert buckets.pointer() == (buckets.old, buckets.new, None)
    assert buckets.switch("--anyway") == 0
    assert buckets.pointer() == (buckets.new, None, buckets.old)


def test_what_came_since_the_fill_is_indexed_before_the_switch(filled):
    filled.put("late.jpg")
    assert filled.switch() == 0
    assert filled.pointer() == (filled.new, None, filled.old)
    assert filled.indexed(filled.new) == filled.in_folder()


def test_what_was_deleted_long_ago_is_removed_before_the_switch(filled, seen_at_once):
    assert filled.switch() == 0
    assert filled.reconcile() == 0
    assert filled.pointer() == (filled.new, None, None)  # the old space hears of nothing now
    wait_for_a_tick(filled.root)
    (filled.photos / "0.jpg").unlink()
    assert filled.reconcile() == 0
    assert "0.jpg" in filled.indexed(filled.old)
    assert filled.switch(filled.old) == 0
    assert filled.pointer() == (filled.old, None, filled.new)
    assert SnapshotReader(filled.index, filled.old).refresh().photos == 7


def test_a_plan_of_the_switch_writes_nothing(filled, capsys):
    filled.put("late.jpg")
    before = sorted(filled.root.rglob("*"))
    assert filled.switch("--plan") == 0
    printed = capsys.readouterr().out
    assert "8 of 9 photos are in the index, 88.8 %" in printed
    assert "a switch would be refused: 1 of 9 photos are missing" in printed
    assert sorted(filled.root.rglob("*")) == before


def test_going_back_is_one_command(filled, capsys):
    assert filled.switch() == 0
    assert filled.go_back() == 0
    assert filled.pointer() == (filled.old, None, filled.new)
    assert f"model {filled.old} is current again" in capsys.readouterr().out
    assert filled.go_back() == 0  # and forth
    assert filled.pointer() == (filled.new, None, filled.old)


def test_going_back_is_possible_after_the_end_of_the_switch(filled, seen_at_once):
    assert filled.switch() == 0
    assert filled.reconcile() == 0
    filled.put("late.jpg")
    assert filled.reconcile() == 0
    assert filled.go_back() == 0
    assert filled.pointer() == (filled.old, None, filled.new)
    assert filled.reconcile() == 0
    assert filled.indexed(filled.old) == filled.in_folder()


def test_switching_to_the_current_model_ends_the_filling(buckets, capsys):
    start_filling(buckets.index, buckets.new)
    assert buckets.switch(buckets.old) == 0
    assert buckets.pointer() == (buckets.old, None, None)


def test_without_a_space_that_is_being_filled_it_asks_for_one(buckets, capsys):
    assert buckets.switch() == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "no model is being filled" in line
    assert buckets.switch(buckets.new) == 0


def test_a_model_that_is_not_whole_does_not_become_current(filled, capsys):
    (filled.root / "index" / "models" / filled.new / "text.onnx").unlink()
    assert filled.switch("--anyway") == 1
    assert "text.onnx" in capsys.readouterr().err
    assert filled.reconcile("--space", filled.new) == 1
    assert filled.pointer() == (filled.old, filled.new, None)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--back", "--plan"], "--back takes no --plan"),
        (["0123456789ab", "--back"], "--back takes no 0123456789ab"),
        (["--prefix", "a/"], "--prefix needs --captions"),
        (["--captions", "none.json"], "there are no captions none.json"),
    ],
)
def test_what_cannot_be_is_one_line(buckets, capsys, arguments, reason):
    assert buckets.switch(*arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert reason in line


def test_without_a_model_before_there_is_no_way_back(buckets, capsys):
    assert buckets.go_back() == 2
    assert "nothing to go back to" in capsys.readouterr().err


def test_a_switch_to_a_model_that_is_not_allowed_is_refused(filled, capsys, monkeypatch):
    old, new = (digest_in(filled.root / name) for name in ("old", "new"))
    monkeypatch.setenv("CLIPSEARCH_MODEL_SHA256", old)
    assert filled.switch(filled.new) == 1
    said = capsys.readouterr().err
    assert f"models/{filled.new}/model.json" in said
    assert f"its SHA-256 is {new}; CLIPSEARCH_MODEL_SHA256 allows only {old}" in said
    assert filled.pointer() == (filled.old, filled.new, None)
    monkeypatch.setenv("CLIPSEARCH_MODEL_SHA256", f"{old},{new}")
    assert filled.switch(filled.new) == 0
    monkeypatch.setenv("CLIPSEARCH_MODEL_SHA256", new)
    assert filled.go_back() == 1  # the model before is not allowed any more
    assert filled.pointer()[0] == filled.new
