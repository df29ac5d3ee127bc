"""`clipsearch run` fills in facts at its start, and takes some settings from the environment."""

import json

import pytest

from cli.common.errors import UsageError
from cli.run.options import SWITCHES, options_of
from clipsearch.storage import open_bucket
from tests.support.dated import PLACE, dated_jpeg
from tests.support.old_index import facts_in_index, forget_facts
from tests.support.ports import free_port
from tests.support.waiting import wait_for


def test_an_old_index_has_facts_and_places_after_a_start(start_stack, model, tmp_path, monkeypatch):
    photos, state = tmp_path / "photos", tmp_path / "run"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (photos / name).write_bytes(dated_jpeg())
    arguments = (photos, "--state", state, "--model", model.folder, "--no-browser")
    index = open_bucket((options_of(str(photos), state=state).state / "index").as_uri())
    space = json.loads((model.folder / "model.json").read_text())["space"]

    def places():
        known = facts_in_index(index, space).values()
        return [facts.place if facts else "no facts" for facts in known]

    stack = start_stack(*arguments, "--port", free_port())
    stack.wait_until_ready()
    assert places() == [None, None]
    assert stack.end() == 0
    forget_facts(index, space)
    assert places() == ["no facts", "no facts"]
    monkeypatch.setenv("CLIPSEARCH_KEEP_PLACES", "1")
    stack = start_stack(*arguments, "--port", free_port())
    stack.wait_until_ready()
    wait_for(lambda: places() == [PLACE, PLACE], "both photos have a place")
    assert stack.end() == 0


def test_the_settings_are_passed_on(monkeypatch, tmp_path):
    assert options_of(state=tmp_path).switches == {"CLIPSEARCH_PREVIEWS": "1"}
    monkeypatch.setenv("CLIPSEARCH_PREVIEWS", "0")
    assert options_of(state=tmp_path).switches == {"CLIPSEARCH_PREVIEWS": "0"}
    for name in SWITCHES:
        monkeypatch.setenv(name, "1")
    assert options_of(state=tmp_path).switches == dict.fromkeys(SWITCHES, "1")


@pytest.mark.parametrize("name", SWITCHES)
def test_a_setting_that_is_neither_0_nor_1_is_named(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "yes")
    with pytest.raises(UsageError, match=f"{name} is 'yes'; it must be 1 .yes. or 0 .no."):
        options_of(state=tmp_path)
