"""The hard stop: a budget's message in, the service closed once, everything else as it was."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import functions_framework
import httpx
import pytest
from google.auth.credentials import AnonymousCredentials

from stopper.budget import Malformed, Spending, parse_spending
from tests.support.function_server import PATIENCE, lines_of, running_function
from tests.support.pubsub_double import event_of
from tests.support.run_double import LOST, RunDouble

ROOT = Path(__file__).parents[2]
SERVICE = "projects/my-project/locations/us-central1/services/clipsearch-search"
EVERYBODY = {"role": "roles/run.invoker", "members": ["allUsers"]}
SEARCHERS = {
    "role": "roles/run.invoker",
    "members": ["user:me@example.org"],
    "condition": {"title": "in 2026", "expression": 'request.time < timestamp("2027-01-01")'},
}
VIEWER = {"role": "roles/run.viewer", "members": ["user:me@example.org"]}
# as in Google's documentation of the format
BUDGET = {
    "budgetDisplayName": "clipsearch in my-project",
    "alertThresholdExceeded": 1.0,
    "costAmount": 10.01,
    "costIntervalStart": "2026-11-01T08:00:00Z",
    "budgetAmount": 10.0,
    "budgetAmountType": "SPECIFIED_AMOUNT",
    "currencyCode": "USD",
}

Send = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunDouble]:
    double = RunDouble(SERVICE, [VIEWER, EVERYBODY])
    monkeypatch.setattr("stopper.access.API", double.api)
    monkeypatch.setattr("google.auth.default", lambda scopes: (AnonymousCredentials(), None))
    yield double
    double.close()


@pytest.fixture
def send(run: RunDouble, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Deliver a message with this data to the function in its framework; returns the status."""
    monkeypatch.setenv("FUNCTION_TARGET", "stopper")
    monkeypatch.setenv("STOPPER_SERVICE", SERVICE)
    for name in [name for name in sys.modules if name.startswith("stopper.main")]:
        monkeypatch.delitem(sys.modules, name)
    app = functions_framework.create_app("stopper", str(ROOT / "functions/main.py"))

    def deliver(data: bytes | None = None, **changed: Any) -> int:
        headers, body = event_of(json.dumps(BUDGET | changed).encode() if data is None else data)
        answer = app.test_client().post("/", headers=headers, json=body)
        return int(answer.status_code)

    return deliver


def test_a_budget_that_is_used_up_closes_the_service_and_nothing_else(
    run: RunDouble, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    assert send() == 200
    assert run.bindings == [VIEWER]
    assert {path.rpartition(":")[0] for path in run.requests} == {f"/v2/{SERVICE}"}
    [line] = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert line == (
        f"budget 'clipsearch in my-project': closed {SERVICE} for allUsers; "
        "spent 10.01 of 10.00 USD"
    )


def test_searchers_with_a_condition_are_shut_out_too(run: RunDouble, send: Send) -> None:
    run.bindings = [SEARCHERS, VIEWER, EVERYBODY]
    assert send() == 200
    assert run.bindings == [VIEWER]


@pytest.mark.parametrize("cost", [0, 5, 9.99])
def test_below_the_budget_nobody_is_even_asked(run: RunDouble, send: Send, cost: float) -> None:
    assert send(costAmount=cost) == 200
    assert send(costAmount=cost, forecastThresholdExceeded=1.0) == 200
    assert run.requests == []


def test_the_same_message_again_changes_nothing(run: RunDouble, send: Send) -> None:
    assert [send(), send(costAmount=11), send()] == [200, 200, 200]
    assert run.writes == 1
    run.bindings = []  # a policy without any binding has no such field
    assert send() == 200
    assert run.writes == 1


def test_who_was_let_in_meanwhile_is_shut_out_too_and_no_other_change_is_lost(
    run: RunDouble, send: Send
) -> None:
    admin = {"role": "roles/run.admin", "members": ["user:other@example.org"]}
    run.faults.extend([[EVERYBODY, SEARCHERS, admin], [EVERYBODY, admin]])
    assert send() == 200
    assert run.bindings == [admin]
    assert run.writes == 1


def test_what_cannot_be_done_now_is_delivered_again(run: RunDouble, send: Send) -> None:
    run.faults.extend([[EVERYBODY]] * 5)
    assert send() == 500
    assert run.bindings == [EVERYBODY]
    run.faults.append(403)
    assert send() == 500
    assert send() == 200
    assert run.bindings == []


def test_a_lost_answer_is_no_trouble(
    run: RunDouble, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    run.faults.extend([503, LOST])
    assert send() == 200
    assert run.bindings == [VIEWER]
    assert "for allUsers" in caplog.text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "must be an object"),
        (b"{}", "costAmount is null"),
        (b'{"costAmount": "10", "budgetAmount": 1}', 'costAmount is "10"'),
        (b'{"costAmount": NaN, "budgetAmount": 1}', "costAmount is NaN"),
        (b'{"costAmount": true, "budgetAmount": 1}', "costAmount is true"),
        (b'{"costAmount": 1}', "budgetAmount is null"),
        (b'{"costAmount": 0, "budgetAmount": 0}', "must be above 0"),
    ],
)
def test_another_message_is_answered_and_closes_nothing(
    run: RunDouble, send: Send, caplog: pytest.LogCaptureFixture, data: bytes, said: str
) -> None:
    assert send(data) == 200
    assert run.requests == []
    assert said in caplog.text


def test_a_message_without_data_is_malformed() -> None:
    for data in (None, {}, {"message": {}}, {"message": {"data": "no base64!"}}, "text"):
        with pytest.raises(Malformed):
            parse_spending(data)


def test_whole_numbers_and_missing_names_are_fine() -> None:
    data = base64.b64encode(b'{"costAmount": 3, "budgetAmount": 3}').decode()
    spending = parse_spending({"message": {"data": data}})
    assert spending == Spending("without a name", 3.0, 3.0, "")
    assert spending.is_used_up


def test_it_runs_as_the_cloud_starts_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environ = {"STOPPER_SERVICE": SERVICE, "K_SERVICE": "clipsearch-stopper"}
    headers, body = event_of(json.dumps(BUDGET | {"costAmount": 3}).encode())
    with running_function("stopper", environ, log) as address:
        answer = httpx.post(address, headers=headers, json=body, timeout=PATIENCE)
    assert answer.status_code == 200
    [line] = [json.loads(line) for line in lines_of(log) if line.startswith("{")]
    assert (line["severity"], line["kind"]) == ("INFO", "budget")
    assert (line["outcome"], line["cost"], line["amount"]) == ("within the budget", 3, 10)
