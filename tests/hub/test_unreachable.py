"""A hub that does not give what was asked for: one sentence, or what the cache has."""

import os
import re
import subprocess
import sys

import huggingface_hub
import pytest

from model_export import ROOT
from model_export.errors import HubError
from tests.hub.conftest import MODEL, SIZE

WEIGHTS = "model.safetensors"


@pytest.fixture
def refused(hub, publish, get):
    publish(WEIGHTS)

    def refused(model=MODEL):
        with pytest.raises(HubError) as error:
            get(model)
        assert hub.sent == []
        return str(error.value)

    return refused


def test_an_unknown_id(hub, refused):
    assert refused("someone/none") == (
        f"there is no model someone/none at {hub.url}, or it is private: then log in "
        "(`hf auth login`, or HF_TOKEN)"
    )


def test_what_cannot_be_an_id(refused):
    assert refused("a/b/c").startswith("'a/b/c' is no folder here, and no id of the Hugging Face")


def test_a_gated_model(hub, refused):
    hub.gated.add(MODEL)
    assert refused() == (
        f"{MODEL} is gated: accept its terms at {hub.url}/{MODEL} and log in "
        "(`hf auth login`, or HF_TOKEN)"
    )


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_may_not(hub, refused, status):
    hub.status = status
    assert MODEL in refused()


def test_a_hub_in_trouble(hub, refused):
    hub.status = 503
    assert (
        refused() == f"{hub.url} answers 503 Service Unavailable, and {MODEL} is not in the cache"
    )


def test_no_network(hub, refused):
    hub.close()
    line = refused()
    assert line.startswith(f"{hub.url} cannot be reached (")
    assert "refused" in line
    assert line.endswith(f"and {MODEL} is not in the cache")


def test_without_a_network_the_cache_is_enough(hub, publish, get, lines):
    publish(WEIGHTS)
    fetched = get()
    hub.close()
    huggingface_hub.close_session()
    lines.clear()
    assert get() == fetched
    [line] = lines
    assert line.startswith(f"{hub.url} cannot be reached (")
    assert line.endswith(f"taking {MODEL} from the cache")


@pytest.mark.parametrize("lost", [WEIGHTS, "tokenizer.json", "preprocessor_config.json"])
def test_half_a_checkpoint_in_the_cache_is_none(hub, publish, get, lost):
    publish(WEIGHTS)
    (get().folder / lost).unlink()
    hub.close()
    huggingface_hub.close_session()
    with pytest.raises(HubError, match="is not in the cache"):
        get()


# --- the process of a person, whose client reads its environment

FETCH = "from model_export.hub import fetch; print(fetch('someone/clip', print).folder)"


@pytest.fixture
def in_a_process(hub, publish, tmp_path):
    publish(WEIGHTS)

    def run(code=FETCH, **environment):
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy"):
            environment.setdefault(name, "")
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "HF_HOME": str(tmp_path / "home"), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )

    return run


def test_endpoint_and_home_are_taken_from_the_environment(hub, in_a_process, tmp_path):
    done = in_a_process(HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = done.stdout.splitlines()[-1]
    assert folder.startswith(str(tmp_path / "home"))
    assert os.path.getsize(f"{folder}/{WEIGHTS}") == SIZE


def test_a_token_is_sent_to_the_hub_and_nowhere_else(hub, in_a_process):
    assert in_a_process(HF_ENDPOINT=hub.url, HF_TOKEN="hf_secret").returncode == 0
    assert {path.split("/")[1] for path, token in hub.tokens} == {"api", "someone"}
    assert {token for _, token in hub.tokens} == {"Bearer hf_secret"}


def test_a_proxy_is_asked(hub, in_a_process):
    done = in_a_process(HF_ENDPOINT="http://hub.example", HTTP_PROXY=hub.url, http_proxy=hub.url)
    assert done.returncode == 0, done.stderr
    assert [name for name, _, _ in hub.sent] == [WEIGHTS]


def test_offline_is_said_and_asks_nobody(hub, in_a_process):
    done = in_a_process(HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set, and someone/clip is not in the cache" in done.stderr
    assert hub.requests == []


def test_a_bar_in_a_terminal(hub, in_a_process):
    hub.pause = 0.02
    fetch_ = f"import os; os.system('stty cols 100 rows 30'); {FETCH}"
    code = f"import pty, sys; sys.exit(pty.spawn([sys.executable, '-c', {fetch_!r}]))"
    done = in_a_process(code, HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stdout
    assert re.search(rf"{WEIGHTS}: +\d+%\|.*\| \d+kB of 600kB, .*B/s, \d\d:\d\d left", done.stdout)
