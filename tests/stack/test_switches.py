"""The local stack asks for the reconcile after a switch of the model."""

from datetime import timedelta

import pytest

from cli.run.switches import Switches
from clipsearch.model import pointer
from clipsearch.model.pointer import forget_previous, make_current, start_filling, switch_to
from clipsearch.storage import open_bucket

A, B = "a" * 12, "b" * 12


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.setattr("cli.run.switches.LOOK_EVERY", 0.0)
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(0))
    return open_bucket((tmp_path / "index").as_uri())


def test_once_for_each_switch(index):
    switches = Switches(index)
    assert not switches.needs_reconcile()  # no model yet
    make_current(index, A)
    start_filling(index, B)
    assert not switches.needs_reconcile()
    switch_to(index, B)
    assert switches.needs_reconcile()
    assert not switches.needs_reconcile()
    there = switch_to(index, A)
    assert switches.needs_reconcile()
    forget_previous(index, there)
    assert not switches.needs_reconcile()


def test_not_before_ingest_has_seen_it(index, monkeypatch):
    make_current(index, A)
    switch_to(index, B)
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(minutes=1))
    switches = Switches(index)
    assert not switches.needs_reconcile()
    monkeypatch.setattr(pointer, "SEEN_AFTER", timedelta(0))
    assert switches.needs_reconcile()


def test_it_looks_only_now_and_then(index, monkeypatch):
    make_current(index, A)
    switches = Switches(index)
    assert not switches.needs_reconcile()
    monkeypatch.setattr("cli.run.switches.LOOK_EVERY", 3600.0)
    switch_to(index, B)
    assert not switches.needs_reconcile()
