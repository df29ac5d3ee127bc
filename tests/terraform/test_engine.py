"""engine = "lance": the job that mirrors the index, who may do what, and the alert."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from cli.main import main
from clipsearch.engine.state import START_OVER_AFTER, state_path, table_path
from clipsearch.index.format.segments import segment_path
from clipsearch.model.pointer import pointer_name
from clipsearch.settings import SETTINGS
from tests.terraform.conftest import ROOT, TERRAFORM, Configuration, parse
from tests.terraform.test_alerts import plain

SPACE = "0123456789ab"
# What an index bucket has: the mirror's own objects, and the others.
OWN = [
    state_path(SPACE, 7),
    f"{table_path(SPACE, 'a')}/_versions/1.manifest",
    f"{table_path(SPACE, 'a')}/data/tables/x.lance",
]
OTHERS = [
    segment_path(SPACE, "a"),
    f"models/{SPACE}/model.json",
    pointer_name(1),
    "models/mirror/x",
    "models/tables/x",
    f"models/{SPACE}/tables/x",
    f"{SPACE}/commits/tables/x",
    f"{SPACE}/segments/mirror/x",
    f"{SPACE}/tablesx",
    "tables/x",
    "mirror/x",
    "attempts/x",
]


def job(configuration: Configuration) -> tuple[dict[str, Any], dict[str, Any]]:
    """The template of a task, and its container."""
    [template] = configuration.all("google_cloud_run_v2_job")["mirror"]["template"]
    assert (template["task_count"], template["parallelism"]) == (1, 1)
    [task] = template["template"]
    [container] = task["containers"]
    return task, container


def test_nothing_is_made_without_an_engine(configuration: Configuration) -> None:
    assert configuration.variables["engine"]["default"] == ""
    assert configuration.locals["engines"] == '${var.engine == "" ? 0 : 1}'
    on = ("${local.engines}", 'var.engine == "" ? [] : ', 'var.engine != "" && ')
    for file in ("mirror.tf", "mirror_alert.tf"):
        names = re.findall(r'^resource "(\w+)" "(\w+)"', (TERRAFORM / file).read_text(), re.M)
        assert names
        for type_, name in names:
            body = configuration.all(type_)[name]
            chosen = plain(str(body.get("count") or body["for_each"]))
            assert any(words in chosen for words in on), name
    for name, without in (("search_image", "var.image : "), ("search_environment", "{} : ")):
        assert configuration.locals[name].startswith(f'${{var.engine == "" ? {without}')
    assert ': chart if var.engine != ""]' in configuration.locals["mirror_charts"]


def test_search_and_the_mirror_run_the_image_with_the_engine(configuration: Configuration) -> None:
    _, container = job(configuration)
    assert container["image"] == "${var.engine_image}"
    assert configuration.locals["search_image"].endswith(": var.engine_image}")
    assert "CLIPSEARCH_ENGINE = var.engine" in configuration.locals["search_environment"]


def test_the_job_runs_a_command_that_there_is(
    configuration: Configuration, capsys: pytest.CaptureFixture[str]
) -> None:
    task, container = job(configuration)
    assert container["args"] == ["mirror", "--quiet", "--json"]
    assert main([*container["args"], "--help"]) == 0
    assert "Usage: clipsearch mirror" in capsys.readouterr().out
    [env] = container["dynamic"]
    assert env["env"]["for_each"] == "${local.mirror_environment}"
    given = set(re.findall(r'"(\w+)"', configuration.locals["mirror_environment"]))
    assert given == {"CLIPSEARCH_INDEX", "CLIPSEARCH_MODEL"} <= set(SETTINGS)
    assert task["service_account"] == "${google_service_account.mirror[0].email}"
    assert task["max_retries"] == 0  # the schedule tries again


def test_the_scheduler_starts_it_as_an_account_that_can_do_nothing_else(
    configuration: Configuration,
) -> None:
    schedule = configuration.all("google_cloud_scheduler_job")["mirror"]
    assert "4-59/${var.mirror.minutes} * * * *" in schedule["schedule"]
    # a run ends before the next one, which would defeat its indexing of the vectors
    assert job(configuration)[0]["timeout"] == "${60 * var.mirror.minutes - 60}s"
    [choice] = [
        rule["condition"]
        for rule in configuration.variables["mirror"]["validation"]
        if "minutes" in rule["condition"]
    ]
    choices = [int(minutes) for minutes in re.findall(r"\d+", choice)]
    # those after a number in a cron field that are as far apart across the hour
    assert choices
    assert all(60 % minutes == 0 for minutes in choices)
    [target] = schedule["http_target"]
    path = "${google_cloud_run_v2_job.mirror[0].id}:run"
    assert target["uri"] == f"https://run.googleapis.com/v2/{path}"
    [token] = target["oauth_token"]
    assert token["service_account_email"] == "${google_service_account.starter[0].email}"
    grants = [g for g in configuration.grants() if "starter" in g["member"]]
    assert [grant["address"] for grant in grants] == [
        "google_cloud_run_v2_job_iam_member.starter_runs_mirror"
    ]
    assert grants[0]["name"] == "${google_cloud_run_v2_job.mirror[0].name}"


def test_the_mirror_writes_its_own_objects_and_no_other(configuration: Configuration) -> None:
    grant = configuration.all("google_storage_bucket_iam_member")["mirror_writes"]
    [condition] = grant["condition"]
    folders = re.findall(r'"(\w+)"', plain(grant["for_each"]).split("[]")[1])
    objects = configuration.locals["index_objects"]
    expression = re.findall(r'"((?:[^"\\]|\\.)+)"', condition["expression"].split("[", 1)[1])
    terms = [plain(term).replace("${local.index_objects}", objects) for term in expression]

    def may_write(name: str) -> bool:
        written = [[t.replace("${each.key}", folder) for t in terms] for folder in folders]
        return any(all(holds(term, objects + name) for term in one) for one in written)

    assert len(terms) == 4
    assert [name for name in OWN if not may_write(name)] == []
    assert [name for name in OTHERS if may_write(name)] == []
    # lists are rights on the bucket, which no condition on objects gives
    reads = configuration.all("google_storage_bucket_iam_member")["mirror_reads_index"]
    assert reads["role"] == "roles/storage.objectViewer"
    assert "condition" not in reads


def holds(term: str, name: str) -> bool:
    """A term of an IAM condition, for the object `name`."""
    if term == 'resource.type == "storage.googleapis.com/Object"':
        return True
    if refused := re.fullmatch(r'!resource\.name\.startsWith\("(.+)"\)', term):
        return not name.startswith(refused[1])
    compared = re.fullmatch(r"(.+?\)) (==|!=) (.+)", term)
    assert compared, term
    return (value(compared[1], name) == value(compared[3], name)) == (compared[2] == "==")


def value(term: str, name: str) -> str:
    """https://cloud.google.com/iam/docs/conditions-attribute-reference#resource-name"""
    if found := re.fullmatch(r'resource\.name\.extract\("(.+)"\)', term):
        before, after = re.split(r"\{\w+\}", found[1])
        rest = name.partition(before)[2]
        return rest.partition(after)[0] if after in rest else ""
    return term.strip('"')


def test_the_alert_comes_long_before_the_mirror_begins_a_new_table(
    configuration: Configuration,
) -> None:
    alert = configuration.all("google_monitoring_alert_policy")["no_mirror"]
    [condition] = alert["conditions"]
    [asked] = condition["condition_prometheus_query_language"]
    [hours] = re.findall(r"\[(\d+)h\]\)", asked["query"])
    window = timedelta(hours=int(hours))
    together = window + timedelta(seconds=int(asked["duration"].removesuffix("s")))
    assert timedelta(days=1) == together < START_OVER_AFTER
    assert together <= timedelta(hours=25)  # Cloud Monitoring's limit
    assert '_mirrored_count{monitored_resource="cloud_run_job"}' in plain(asked["query"])
    metric = configuration.all("google_logging_metric")["mirrored"]
    assert metric["name"] == "${var.name}/mirrored"
    fields = set(re.findall(r"jsonPayload\.(\w+)", str(metric)))
    printed = re.findall(r'^ {8}"(\w+)": ', (ROOT / "cli/mirror/work.py").read_text(), re.M)
    assert fields == {"table", "photos"} <= set(printed)
    chart = configuration.locals["mirror_charts"]
    assert 'resource.type="cloud_run_job"' in plain(configuration.locals["mirror_log"])
    assert f'{metric["name"]}"' in plain(chart)
    assert "ALIGN_DELTA" in chart  # as test_dashboard.py wants for the values of a distribution
    assert "REDUCE_MEAN" in chart
    assert "local.mirror_charts" in (TERRAFORM / "dashboard.tf").read_text()


def test_the_default_size_holds_what_a_run_needs() -> None:
    """See docs/engine.md, "Deploy it"."""
    type_ = str(parse(TERRAFORM).variables["mirror"]["type"])
    found = dict(re.findall(r"(\w+)\W+optional\(number, (\d+)\)", type_))
    assert found == {"cpu": "1", "memory_gib": "4", "minutes": "10"}
