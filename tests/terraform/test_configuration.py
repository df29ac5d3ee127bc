"""The functions in Terraform, their settings and their triggers."""

from __future__ import annotations

import base64
import json
import re

import pytest

from cli.run.page import DEFAULT_SEARCH_URL
from clipsearch.errors import SettingsError
from clipsearch.model.pointer import pointer_name
from clipsearch.settings import SETTINGS, Settings
from ingest.events import TYPES
from ingest.maintenance import SPREAD_S
from ingest.messages import PUBLISHED, parse_message
from search.resources import PLACES
from stopper.main import SERVICE
from tests.terraform.conftest import ROOT, TERRAFORM, Configuration

FUNCTIONS = "google_cloudfunctions2_function"
ACCOUNT = "clipsearch-search@my-project.iam.gserviceaccount.com"
NAMES = {  # examples, to check that the settings accept the composed values
    "local.photos_bucket": "my-photos",
    "google_storage_bucket.index.name": "my-index",
    "google_storage_bucket.thumbnails.name": "my-thumbnails",
    "local.photos_url": "https://storage.googleapis.com/my-photos",
    "local.thumbnails_url": "https://storage.googleapis.com/my-thumbnails",
    'join(",", var.allowed_origins)': "https://storage.googleapis.com",
    'var.public ? "" : google_service_account.search.email': ACCOUNT,
    'join(",", local.allowed_models)': "0" * 64,
    'var.iap ? local.page_path : ""': "",
    "jsonencode(var.suggestions)": '["a cat"]',
    'local.has_public_page ? local.site_url : ""': "https://storage.googleapis.com/my-site",
    'var.fetch_urls ? "1" : "0"': "0",
    'var.embed ? "1" : "0"': "1",
    'var.classify ? "1" : "0"': "1",
    "tostring(var.log_sample)": "0.1",
    "tostring(var.rate_per_minute)": "120",
    "tostring(var.proxies)": "1",
    "var.rows": "memory",
    "google_pubsub_topic.dead_letters.id": "projects/my-project/topics/clipsearch-dead-letters",
    "var.project": "my-project",
    "google_pubsub_topic.maintenance.id": "projects/my-project/topics/clipsearch-maintenance",
}


def test_every_function_has_limits(configuration: Configuration) -> None:
    assert set(configuration.all(FUNCTIONS)) == {"search", "ingest", "stopper"}
    for name, function in configuration.all(FUNCTIONS).items():
        [service] = function["service_config"]
        for limit in (
            "available_cpu",
            "available_memory",
            "max_instance_count",
            "max_instance_request_concurrency",
            "min_instance_count",
            "timeout_seconds",
        ):
            assert limit in service, f"{name} has no {limit}"


def test_an_event_is_not_delivered_again_while_ingest_is_still_at_it(
    configuration: Configuration,
) -> None:
    """By default, Eventarc's subscriptions wait only 10 seconds."""
    [deadline] = re.findall(r"--ack-deadline=(\d+)", configuration.locals["delivery_options"])
    [service] = configuration.all(FUNCTIONS)["ingest"]["service_config"]
    assert SPREAD_S < service["timeout_seconds"] < int(deadline) <= 600  # the maximum of Pub/Sub
    triggers = set(configuration.all("google_eventarc_trigger"))
    told = re.findall(r"google_eventarc_trigger\.(\w+)", configuration.locals["event_triggers"])
    assert set(told) == triggers
    [command] = re.findall(r"=> \"(gcloud .+?)\"", configuration.locals["delivery_commands"])
    assert command.endswith(" ${subscription} ${local.delivery_options}")
    run = configuration.all("terraform_data")["deliveries"]
    assert run["for_each"] == "${var.run_gcloud ? local.delivery_commands : {}}"
    assert run["triggers_replace"] == "${each.value}"  # a new trigger has a new subscription
    assert run["provisioner"] == [{"local-exec": {"command": "${each.value}"}}]


def test_ingest_works_on_one_event_at_a_time_and_is_not_called_from_outside(
    configuration: Configuration,
) -> None:
    [service] = configuration.all(FUNCTIONS)["ingest"]["service_config"]
    assert service["max_instance_request_concurrency"] == 1
    assert service["ingress_settings"] == "ALLOW_INTERNAL_ONLY"


def test_search_takes_no_more_at_once_than_its_pool_keeps(configuration: Configuration) -> None:
    bounds = [rule["condition"] for rule in configuration.variables["search"]["validation"]]
    bound = f"var.search.concurrency <= {PLACES}"
    assert any(condition.endswith(f"{bound}}}") for condition in bounds)
    assert f"optional(number, {PLACES})" in configuration.variables["search"]["type"]


def test_each_part_has_a_service_account_of_its_own(configuration: Configuration) -> None:
    functions = configuration.all(FUNCTIONS)
    runs_as = [f["service_config"][0]["service_account_email"] for f in functions.values()]
    builds_as = {f["build_config"][0]["service_account"] for f in functions.values()}
    triggers_as = {
        t["service_account"] for t in configuration.all("google_eventarc_trigger").values()
    }
    assert sorted(runs_as) == [
        f"${{google_service_account.{name}.email}}" for name in ("ingest", "search", "stopper[0]")
    ]
    assert builds_as == {"${google_service_account.build.id}"}
    assert triggers_as == {"${google_service_account.trigger.email}"}
    assert set(configuration.all("google_service_account")) == {
        "build",
        "bulk",
        "ingest",
        "mirror",
        "search",
        "starter",
        "stopper",
        "trigger",
    }


def test_the_functions_get_every_setting_and_no_other(configuration: Configuration) -> None:
    names = set(SETTINGS) - {
        *("CLIPSEARCH_KEEP_PLACES", "CLIPSEARCH_PREVIEWS", "CLIPSEARCH_ENGINE")
    }
    assert set(configuration.locals["environment"]) == names | {"ORT_DISABLE_TELEMETRY"}
    assert configuration.locals["environment"]["ORT_DISABLE_TELEMETRY"] == "1"
    given = {
        name: function["service_config"][0]["environment_variables"]
        for name, function in configuration.all(FUNCTIONS).items()
    }
    own = {
        "CLIPSEARCH_KEEP_PLACES": '${var.keep_places ? "1" : "0"}',
        "CLIPSEARCH_PREVIEWS": '${var.previews ? "1" : "0"}',
    }
    assert configuration.locals["ingest_environment"] == own
    assert given == {
        # only search reads the table of an engine
        "search": "${merge(local.environment, local.search_environment)}",
        # only ingest reads places from files and makes previews
        "ingest": "${merge(local.environment, local.ingest_environment)}",
        "stopper": {
            SERVICE: "projects/${var.project}/locations/${var.region}/services/"
            "${local.search_service}",
            "GOOGLE_CLOUD_PROJECT": "${var.project}",
        },
    }


def test_terraform_takes_the_shares_that_the_settings_take(configuration: Configuration) -> None:
    [rule] = configuration.variables["log_sample"]["validation"]
    [pattern] = re.findall(r'regex\("(.+)", tostring', rule["condition"])
    environment = {name: filled_in(v) for name, v in configuration.locals["environment"].items()}
    # as Terraform writes numbers
    for share in ("0", "1", "0.1", "0.25", "0.001", "1e-10", "1.5", "-0.1", "2"):
        try:
            Settings.from_env({**environment, "CLIPSEARCH_LOG_SAMPLE": share})
            taken = True
        except SettingsError:
            taken = False
        assert bool(re.search(pattern.replace(r"\\", "\\"), share)) == taken, share


def test_a_request_is_logged_once(configuration: Configuration) -> None:
    """Cloud Run's own line goes only where the functions have written one: not for refusals."""
    exclusion = configuration.all("google_logging_project_exclusion")["requests"]["filter"]
    assert "httpRequest.status<400" in exclusion
    assert "run.googleapis.com/requests" in exclusion
    assert "${local.search_name}" in exclusion
    assert "stopper" not in exclusion


def test_the_budget_reaches_the_stopper(configuration: Configuration) -> None:
    stopper = configuration.all(FUNCTIONS)["stopper"]
    [trigger] = stopper["event_trigger"]
    assert trigger["event_type"] == PUBLISHED
    assert trigger["pubsub_topic"] == "${google_pubsub_topic.budget[0].id}"
    assert trigger["retry_policy"] == "RETRY_POLICY_RETRY"
    assert stopper["service_config"][0]["ingress_settings"] == "ALLOW_INTERNAL_ONLY"
    dynamic = configuration.all("google_billing_budget")["this"]["dynamic"]
    [rule] = [block["all_updates_rule"] for block in dynamic if "all_updates_rule" in block]
    [content] = rule["content"]
    assert content["pubsub_topic"] == "${one(google_pubsub_topic.budget[*].id)}"
    everything = [
        *configuration.all(FUNCTIONS).items(),
        *configuration.all("google_pubsub_topic").items(),
        *configuration.all("google_service_account").items(),
    ]
    optional = {name for name, body in everything if body.get("count") == "${local.stops}"}
    assert optional == {"budget", "stopper"}
    assert configuration.locals["stops"] == "${var.stop_at_budget ? 1 : 0}"
    assert configuration.variables["stop_at_budget"]["default"] is False


def test_places_are_kept_only_if_somebody_says_so(configuration: Configuration) -> None:
    assert configuration.variables["keep_places"]["default"] is False
    assert configuration.variables["previews"]["default"] is False
    assert "personal" in configuration.variables["keep_places"]["description"]


def test_the_settings_take_what_the_functions_get(configuration: Configuration) -> None:
    environment = {
        name: filled_in(value) for name, value in configuration.locals["environment"].items()
    }
    settings = Settings.from_env(environment)
    assert settings.photos == "gs://my-photos"
    assert settings.sign_as == ACCOUNT
    assert settings.topic == NAMES["google_pubsub_topic.maintenance.id"]


@pytest.mark.parametrize(
    "origins",
    [
        [],
        ["*"],
        ["*", "https://a.example"],
        ["https://a.example", "http://localhost:8080"],
        ["https://a.example/"],
        ["https://a.example,b"],
        ["a.example"],
    ],
)
def test_terraform_takes_the_origins_that_the_settings_take(
    configuration: Configuration, origins: list[str]
) -> None:
    [rule] = configuration.variables["allowed_origins"]["validation"]
    [pattern] = re.findall(r'regex\("(.+)", join', rule["condition"])
    environment = {name: filled_in(v) for name, v in configuration.locals["environment"].items()}
    environment["CLIPSEARCH_ALLOWED_ORIGINS"] = ",".join(origins)
    try:
        Settings.from_env(environment)
        taken = True
    except SettingsError:
        taken = False
    assert bool(re.search(pattern.replace(r"\\", "\\"), ",".join(origins))) == taken


def test_another_source_is_another_object_and_so_another_build(
    configuration: Configuration,
) -> None:
    archive = configuration.all("google_storage_bucket_object")["functions"]
    assert archive["name"] == "functions-${data.archive_file.functions.output_sha256}.zip"
    for name, function in configuration.all(FUNCTIONS).items():
        [build] = function["build_config"]
        assert build["entry_point"] == name
        [source] = build["source"][0]["storage_source"]
        assert source["object"] == "${google_storage_bucket_object.functions.name}"


def test_photos_that_come_and_go_reach_ingest_again_and_again(
    configuration: Configuration,
) -> None:
    trigger = configuration.all("google_eventarc_trigger")["photos"]
    criteria = {c["attribute"]: c["value"] for c in trigger["matching_criteria"]}
    kinds = re.findall(r'"(\w+)"', trigger["for_each"])
    types = [criteria["type"].replace("${each.key}", kind) for kind in kinds]
    assert types == list(TYPES)
    assert criteria["bucket"] == "${local.photos_bucket}"
    assert (
        trigger["location"] == "${lower(local.photos_location)}"
    )  # without it there are no events
    assert "retry_policy" not in trigger  # its only value means: never retry


def test_what_the_scheduler_sends_is_what_ingest_understands(configuration: Configuration) -> None:
    [target] = configuration.all("google_cloud_scheduler_job")["maintenance"]["pubsub_target"]
    assert target["data"] == "${base64encode(jsonencode({action = each.key}))}"
    assert set(configuration.locals["schedules"]) == {"compact", "reconcile"}
    for action in configuration.locals["schedules"]:
        data = base64.b64encode(json.dumps({"action": action}).encode()).decode()
        assert parse_message({"message": {"data": data}}) is not None
    trigger = configuration.all("google_eventarc_trigger")["maintenance"]
    assert trigger["matching_criteria"] == [{"attribute": "type", "value": PUBLISHED}]


def test_a_bundle_is_put_where_the_functions_look_and_never_deleted(
    configuration: Configuration,
) -> None:
    objects = configuration.all("google_storage_bucket_object")
    assert objects["bundle"]["name"] == "models/${local.space}/${each.key}"
    assert objects["manifest"]["name"] == "models/${local.space}/model.json"
    [form] = re.findall(
        r'format\("([^"]+)", time_static.current.unix\)', objects["current"]["name"]
    )
    assert form % 1_796_000_000 == pointer_name(1_796_000_000)
    for name in ("bundle", "manifest", "current"):
        assert objects[name]["deletion_policy"] == "ABANDON", name
    assert objects["manifest"]["depends_on"] == ["${google_storage_bucket_object.bundle}"]
    assert objects["current"]["depends_on"] == ["${google_storage_bucket_object.manifest}"]


def test_the_page_is_put_up_whole_with_a_policy_of_its_own(configuration: Configuration) -> None:
    page = (ROOT / "site" / "index.html").read_text()
    tag = '<meta http-equiv="Content-Security-Policy"[^>]*>'
    assert len(re.findall(tag, page)) == 1
    assert tag.replace('"', '\\"') in configuration.locals["index_html"]
    local_address = f'"{DEFAULT_SEARCH_URL}/"'
    assert page.count(local_address) == 2  # a form and a link
    assert local_address.replace('"', '\\"') in configuration.locals["index_html"]
    names = re.findall(r"^export const (\w+)", (ROOT / "site" / "config.js").read_text(), re.M)
    assert re.findall(r"export const (\w+)", configuration.locals["config_js"]) == names
    types = configuration.locals["site_types"]
    for path in (ROOT / "site").iterdir():
        assert path.is_file()
        assert path.suffix[1:] in types or path.name == "index.html", path.name
    for name in ("site", "config", "index_html"):
        assert configuration.all("google_storage_bucket_object")[name]["cache_control"]


def test_variables_and_outputs_are_in_order_and_say_what_they_are(
    configuration: Configuration,
) -> None:
    for path in TERRAFORM.glob("*.tf"):
        for kind in ("variable", "output"):
            names = re.findall(rf'^{kind} "(\w+)"', path.read_text(), re.MULTILINE)
            assert names == sorted(names), path.name
    for named in (configuration.variables, configuration.outputs):
        assert all(body["description"].endswith((".", "`")) for body in named.values())


def test_the_providers_are_pinned_to_what_was_read() -> None:
    versions = (TERRAFORM / "versions.tf").read_text()
    assert versions.count('">= 7.30, < 9.0"') == 2


def filled_in(text: str) -> str:
    return re.sub(r"\$\{(.+?)\}", lambda found: NAMES[found[1]], text)
