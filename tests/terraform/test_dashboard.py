"""The dashboard and the alerts match their titles, and their metrics exist."""

from __future__ import annotations

import json
import re

from tests.terraform.conftest import Configuration

# Google's metrics, and the type of their values
# (https://cloud.google.com/monitoring/api/metrics_gcp)
GOOGLES = {
    "run.googleapis.com/request_count": "number",
    "run.googleapis.com/request_latencies": "distribution",
    "run.googleapis.com/container/startup_latencies": "distribution",
    "run.googleapis.com/container/instance_count": "number",
    "pubsub.googleapis.com/subscription/num_undelivered_messages": "number",
    "pubsub.googleapis.com/subscription/oldest_unacked_message_age": "number",
}
SUBJECTS = {
    "request",
    "latency",
    "cold start",
    "instances",
    "freshness",
    "cannot be indexed",
    "given up",
    "dead letter",
    "coverage",
}


def kinds(configuration: Configuration) -> dict[str, str]:
    """{metric: type of its values}"""
    logs = "logging.googleapis.com/user/${var.name}"
    counts = {f"{logs}/{name}": "number" for name in configuration.locals["log_counts"]}
    values = {f"{logs}/{name}": "distribution" for name in configuration.locals["log_values"]}
    return GOOGLES | counts | values


def metric(configuration: Configuration, filter_: str) -> str:
    """The name of a filter's metric, with locals resolved."""
    for name in re.findall(r"\$\{local\.(\w+_metric)\}", filter_):
        filter_ = filter_.replace(f"${{local.{name}}}", configuration.locals[name])
    [found] = re.findall(r'metric\.type = "([^"]+)"', filter_.replace('\\"', '"'))
    return str(found)


def test_every_chart_and_alert_is_of_a_metric_that_there_is(configuration: Configuration) -> None:
    known = kinds(configuration)
    charts = configuration.locals["charts"]
    alerts = configuration.locals["alerts"].values()
    asked = [metric(configuration, shown["filter"]) for shown in [*charts, *alerts]]
    assert set(asked) - set(known) == set()
    assert set(known) - set(asked) == set(), "nobody looks at it"


def test_values_are_put_together_as_their_kind_allows(configuration: Configuration) -> None:
    """Monitoring refuses a percentile of numbers, and a maximum of distributions."""
    for chart in configuration.locals["charts"]:
        kind = kinds(configuration)[metric(configuration, chart["filter"])]
        is_percentile = "PERCENTILE" in chart["align"]
        assert is_percentile <= (kind == "distribution"), chart["title"]
        if kind == "distribution" and not is_percentile:
            assert (chart["align"], chart["reduce"]) == ("ALIGN_DELTA", "REDUCE_MEAN")


def test_the_dashboard_has_every_subject(configuration: Configuration) -> None:
    titles = " ".join(chart["title"].lower() for chart in configuration.locals["charts"])
    assert not [subject for subject in SUBJECTS if subject not in titles]


def test_alerts_are_opt_in(configuration: Configuration) -> None:
    for type_ in ("google_monitoring_alert_policy", "google_monitoring_notification_channel"):
        for body in configuration.all(type_).values():
            assert 'var.email != ""' in json.dumps(body).replace('\\"', '"'), type_
    assert configuration.variables["email"]["default"] == ""
    assert configuration.variables["billing_account"]["default"] == ""
    [budget] = configuration.all("google_billing_budget").values()
    assert budget["count"] == '${var.billing_account != "" ? 1 : 0}'
