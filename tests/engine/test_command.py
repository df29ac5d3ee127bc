"""`clipsearch mirror` where Lance is not installed."""

from __future__ import annotations

import importlib.util

from cli.main import main


def test_without_lance_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["mirror", "--index", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "needs the package pylance: install functions/clipsearch/engine/requirements.txt" in err
