"""CLIPSEARCH_ENGINE where Lance is not installed."""

import importlib.util


def test_the_log_says_what_is_missing(gallery, client_of, monkeypatch, caplog):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    response = client_of(gallery, CLIPSEARCH_ENGINE="lance").get("/", params={"q": "red"})
    assert response.status_code == 500
    assert "the package pylance is not installed" in caplog.text
