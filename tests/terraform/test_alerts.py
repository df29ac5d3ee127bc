"""Every alert has a runbook, and the log lines that both name are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli.costs.assumptions import MONTH_S
from cli.costs.prices import usd
from tests.terraform.conftest import ROOT, Configuration
from tests.test_docs import anchors

FOLDER = ROOT / "docs" / "runbooks"
RUNBOOKS = {path.stem: path for path in sorted(FOLDER.glob("*.md"))}
PARTS = [
    "What it means",
    "What to look at",
    "What to do",
    "How to see that it is over",
]
WRITE_LOGS = [ROOT / "functions", ROOT / "cli" / "mirror"]
CODE = "\n".join(path.read_text() for folder in WRITE_LOGS for path in folder.rglob("*.py"))
# Words of the lines of Google and of Lance.
THEIRS = {
    "Retryable commit conflict",
    "Memory limit",
    "no available instance",
    "run.googleapis.com/requests",
}


def keys(configuration: Configuration) -> set[str]:
    """The alerts, as local.runbooks names them."""
    named = configuration.locals
    [single] = re.findall(r'\["(\w+)", "(\w+)", "(\w+)"\]', str(named["runbooks"]))
    return {*named["alerts"], *named["log_alerts"], *named["objectives"], *single}


def plain(text: str) -> str:
    """An HCL string without its escapes."""
    return text.replace('\\"', '"').replace("\\n", "\n")


def pattern_of(configuration: Configuration, key: str) -> str:
    """The regular expression of an alert on log lines."""
    filter_ = plain(configuration.locals["log_alerts"][key]["filter"])
    [found] = re.findall(r'message=~"(.+?)"', filter_)
    return str(found)


def test_every_alert_has_a_runbook_and_the_other_way_round(configuration: Configuration) -> None:
    assert set(RUNBOOKS) == {key.replace("_", "-") for key in keys(configuration)}


def test_every_policy_links_to_a_runbook(configuration: Configuration) -> None:
    policies = configuration.all("google_monitoring_alert_policy")
    assert set(policies) == {*("this", "logs", "no_mirror", "no_reconcile", "burn", "unreachable")}
    for name, body in policies.items():
        [documentation] = body["documentation"]
        content = plain(documentation["content"])
        found = re.search(r"\n\n\$\{local\.runbooks\[(.+?)\]\}$", content)
        assert found, name
        key = found[1].strip('"\\')
        assert key in {"each.key", "each.value.objective", *keys(configuration)}, name
        assert body["notification_channels"] == "${local.channels}"
        assert 'var.email != ""' in json.dumps(body).replace('\\"', '"'), name


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_says_what_a_person_needs(name: str) -> None:
    text = RUNBOOKS[name].read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        assert len(part.split()) > 5


@pytest.mark.parametrize("name", RUNBOOKS)
def test_the_links_of_a_runbook_lead_somewhere(name: str) -> None:
    for path, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", RUNBOOKS[name].read_text()):
        target = (FOLDER / path).resolve()
        assert target.is_file(), path
        assert not anchor or anchor in anchors(target.read_text()), f"{path}#{anchor}"


@pytest.mark.parametrize("name", RUNBOOKS)
def test_the_log_lines_of_a_runbook_are_those_of_the_code(name: str) -> None:
    text = RUNBOOKS[name].read_text()
    # in lists and tables of lines: `words`, without names, commands, settings and fields
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"^ {4,}.*$", "", text, flags=re.MULTILINE))
    lines = [words for words in quoted if re.fullmatch(r"[\w ,'…-]+", words) and " " in words]
    lines = [words for words in lines if not words.startswith(("make ", "gcloud ", "terraform "))]
    for words in lines:
        for part in words.split(" … "):
            assert part in CODE or part in THEIRS, words


def test_every_field_of_a_log_filter_is_written_by_the_code(configuration: Configuration) -> None:
    texts = [path.read_text() for path in RUNBOOKS.values()]
    texts += [path.read_text() for path in (ROOT / "terraform").glob("*.tf")]
    for text in texts:
        for field in re.findall(r"jsonPayload\.(\w+)", text):
            assert field == "message" or re.search(rf'\b{field}=|"{field}"', CODE), field


def test_the_words_of_the_alerts_on_log_lines_are_those_of_the_code(
    configuration: Configuration,
) -> None:
    for key in ("damaged", "refused_model"):
        for words in pattern_of(configuration, key).split("|"):
            assert words.replace(".*", "%s") in CODE, words


def test_a_refusal_in_the_log_matches_its_alert(configuration: Configuration) -> None:
    """The line that search writes, not only its format."""
    said = "the model of space 0123456789ab is refused: the object 'x' is damaged: y"
    pattern = pattern_of(configuration, "refused_model")
    assert re.search(pattern, said)


def test_each_objective_burns_fast_and_slow(configuration: Configuration) -> None:
    burns = configuration.locals["burns"]
    assert set(burns) == {"fast", "slow"}
    for burn in burns.values():
        assert burn["long"] == 12 * burn["short"]
        days = 28 / float(burn["rate"])
        assert days == pytest.approx({3600: 2, 21600: 5}[burn["long"]], rel=0.1)
    [policy] = [configuration.all("google_monitoring_alert_policy")["burn"]]
    assert policy["combiner"] == "AND"
    assert "var.slos" in policy["for_each"]


@pytest.mark.parametrize(
    "runtime", ["google_cloudfunctions2_function", "google_cloud_run_v2_service"]
)
def test_readers_ship_before_writers(configuration: Configuration, runtime: str) -> None:
    parts = configuration.all(runtime)
    assert f"{runtime}.search" in str(parts["ingest"]["depends_on"])
    assert "ingest" not in str(parts["search"]["depends_on"])


def test_the_index_is_protected_on_request(configuration: Configuration) -> None:
    bucket = configuration.all("google_storage_bucket")["index"]
    assert bucket["force_destroy"] == "${!var.protect_index}"
    [policy] = bucket["soft_delete_policy"]
    assert "var.protect_index ? 604800 : 0" in policy["retention_duration_seconds"]
    assert configuration.variables["protect_index"]["default"] is False


def test_audit_logs_are_of_the_index_only(configuration: Configuration) -> None:
    [audit] = configuration.all("google_project_iam_audit_config").values()
    assert audit["count"] == "${var.audit_index ? 1 : 0}"
    exclusion = configuration.all("google_logging_project_exclusion")["other_buckets"]
    assert 'bucket_name!="${google_storage_bucket.index.name}' in plain(str(exclusion["filter"]))


def test_the_uptime_check_costs_what_its_text_says(configuration: Configuration) -> None:
    [check] = configuration.all("google_monitoring_uptime_check_config").values()
    period, regions = int(check["period"].rstrip("s")), len(check["selected_regions"])
    second = 2 * usd("cpu_second") + 2 * usd("memory_gib_second")
    month = regions * MONTH_S / period * second
    assert f"${month:.2f} a month" in configuration.variables["uptime_check"]["description"]


def test_the_folder_has_only_runbooks() -> None:
    assert {path.suffix for path in Path(FOLDER).iterdir()} == {".md"}
