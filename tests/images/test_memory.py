"""Decoders of one process share a part of its memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from clipsearch.images import decode, memory
from clipsearch.images.memory import Budget, memory_limit
from tests.support.pictures import picture

DEADLINE_S = 60


def wait_until(is_so) -> None:
    end = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_what_does_not_fit_waits_its_turn_and_is_not_passed():
    budget, events = Budget(100), []
    hold_first, hold_large = threading.Event(), threading.Event()

    def borrow(name: str, amount: int, until: threading.Event) -> None:
        with budget.lent(amount):
            events.append(name)
            assert until.wait(DEADLINE_S)

    threads = []
    for name, amount, until in (
        ("first", 60, hold_first),
        ("large", 90, hold_large),
        ("small", 10, hold_large),  # there would be room for it, but "large" was first
    ):
        threads.append(threading.Thread(target=borrow, args=(name, amount, until)))
        threads[-1].start()
        waiting = len(threads) - 1
        wait_until(lambda n=waiting: len(events) + len(budget._waiting) == n + 1)
    assert events == ["first"]
    hold_first.set()
    wait_until(lambda: events == ["first", "large", "small"])
    hold_large.set()
    for thread in threads:
        thread.join(DEADLINE_S)


def test_who_asks_for_more_than_there_is_gets_it_all_alone():
    budget = Budget(10)
    with budget.lent(1000):
        assert budget._free == 0
    with budget.lent(10):
        pass


def test_an_error_gives_back_what_was_lent():
    budget = Budget(10)
    with pytest.raises(OSError, match="no"), budget.lent(10):
        raise OSError("no")
    with budget.lent(10):
        pass


def test_the_limit_is_that_of_the_container(monkeypatch, tmp_path):
    physical = memory_limit()
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit() <= physical
    (tmp_path / "memory.max").write_text("104857600\n")
    assert memory_limit() == 100 << 20


def test_a_limit_of_the_process_counts():
    code = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from clipsearch.images.memory import memory_limit
assert memory_limit() == 1 << 30, memory_limit()
"""
    functions = Path(memory.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=functions, check=True)


def test_a_photo_borrows_what_its_header_foretells(monkeypatch):
    budget, borrowed = Budget(1 << 40), []
    lent = budget.lent
    monkeypatch.setattr(budget, "lent", lambda amount: borrowed.append(amount) or lent(amount))
    monkeypatch.setattr(decode, "decoders_budget", lambda: budget)
    for kind, options in (("PNG", {}), ("JPEG", {"progressive": True, "subsampling": 0})):
        decode.decode_photo(picture(kind, "black", (400, 304), **options), 24)
    assert borrowed == [400 * 304 * 4, 400 * 304 * (4 + 3 * 2)]
