"""runtime = "image": Cloud Run services of one image, with the same limits, settings and rights as
the functions; and Identity-Aware Proxy before them."""

from __future__ import annotations

import re
from typing import Any

from tests.terraform.conftest import Configuration
from tests.terraform.test_configuration import FUNCTIONS

SERVICES = "google_cloud_run_v2_service"
PARTS = ("search", "ingest")


def container(service: dict[str, Any]) -> dict[str, Any]:
    [template] = service["template"]
    [found] = template["containers"]
    return dict(found)


def test_one_runtime_is_there_and_not_the_other(configuration: Configuration) -> None:
    assert configuration.variables["runtime"]["default"] == "functions"
    assert set(configuration.all(SERVICES)) == set(PARTS)
    for part in PARTS:
        assert configuration.all(FUNCTIONS)[part]["count"] == "${local.is_image ? 0 : 1}"
        assert configuration.all(SERVICES)[part]["count"] == "${local.is_image ? 1 : 0}"


def test_triggers_grants_and_page_point_to_whichever_is_there(configuration: Configuration) -> None:
    for part in PARTS:
        names = configuration.locals[f"{part}_service"]
        assert names == (f"${{one(concat({FUNCTIONS}.{part}[*].name, {SERVICES}.{part}[*].name))}}")
        # another name than the function's: it may be made before the function is removed
        name = configuration.locals[f"{part}_name"]
        assert (
            name == f'${{local.is_image ? "${{var.name}}-{part}-image" : "${{var.name}}-{part}"}}'
        )
        assert configuration.all(SERVICES)[part]["name"] == f"${{local.{part}_name}}"
        assert configuration.all(FUNCTIONS)[part]["name"] == f"${{var.name}}-{part}"
    for trigger in configuration.all("google_eventarc_trigger").values():
        [run] = trigger["destination"][0]["cloud_run_service"]
        assert run["service"] == "${local.ingest_service}"
    assert f"{SERVICES}.search[*].uri" in configuration.locals["search_url"]
    assert configuration.outputs["api_url"]["value"] == "${local.search_url}"


def test_both_runtimes_have_the_same_limits_and_identities(configuration: Configuration) -> None:
    for part in PARTS:
        [function] = configuration.all(FUNCTIONS)[part]["service_config"]
        service = configuration.all(SERVICES)[part]
        [template] = service["template"]
        [scaling] = template["scaling"]
        [resources] = container(service)["resources"]
        assert {
            "available_cpu": resources["limits"]["cpu"],
            "available_memory": resources["limits"]["memory"],
            "max_instance_request_concurrency": template["max_instance_request_concurrency"],
            "min_instance_count": scaling["min_instance_count"],
            "max_instance_count": scaling["max_instance_count"],
            "timeout_seconds": int(template["timeout"].removesuffix("s")),
            "service_account_email": template["service_account"],
        } == {name: function[name] for name in function if name in LIMITS}
        is_open = function["ingress_settings"] == "ALLOW_ALL"
        assert service["ingress"] == (
            "INGRESS_TRAFFIC_ALL" if is_open else "INGRESS_TRAFFIC_INTERNAL_ONLY"
        )
        after = str(configuration.all(FUNCTIONS)[part]["depends_on"]).replace(FUNCTIONS, SERVICES)
        assert str(service["depends_on"]) == after


LIMITS = {
    "available_cpu",
    "available_memory",
    "max_instance_request_concurrency",
    "min_instance_count",
    "max_instance_count",
    "timeout_seconds",
    "service_account_email",
}


def test_both_runtimes_have_the_same_settings(configuration: Configuration) -> None:
    for part in PARTS:
        [function] = configuration.all(FUNCTIONS)[part]["service_config"]
        [dynamic] = container(configuration.all(SERVICES)[part])["dynamic"]
        given = set(re.findall(r"local\.\w+", dynamic["env"]["for_each"]))
        assert given - {"local.image_environment"} == set(
            re.findall(r"local\.\w+", function["environment_variables"])
        )
        assert f'{{FUNCTION_TARGET = "{part}"}}' in dynamic["env"]["for_each"]


def test_an_image_is_billed_by_the_request_and_starts_quickly(configuration: Configuration) -> None:
    for part in PARTS:
        found = container(configuration.all(SERVICES)[part])
        [resources] = found["resources"]
        assert resources["cpu_idle"] is True
        assert resources["startup_cpu_boost"] is True
        [probe] = found["startup_probe"]
        # Cloud Run's maximum for a start
        assert probe["period_seconds"] * probe["failure_threshold"] <= 240
        assert ("http_get" in probe) == (part == "search")
        [port] = found["ports"]
        assert port == {"container_port": 8080}
        # with an engine, search runs the image that has it
        own = {"search": "${local.search_image}", "ingest": "${var.image}"}
        assert found["image"] == own[part]


def test_an_image_has_a_digest(configuration: Configuration) -> None:
    form = configuration.variables["image"]["validation"][0]["condition"]
    [pattern] = re.findall(r'regex\("(.+)", var.image', form)
    image = "europe-west1-docker.pkg.dev/my-project/clipsearch/clipsearch"
    assert re.search(pattern, f"{image}@sha256:{'0' * 64}")
    for wrong in (image, f"{image}:latest", f"{image}@sha256:0", f"{image}:1@sha256:{'0' * 63}"):
        assert not re.search(pattern, wrong), wrong


def test_with_iap_only_the_proxy_calls_search_and_only_searchers_sign_in(
    configuration: Configuration,
) -> None:
    service = configuration.all(SERVICES)["search"]
    assert service["iap_enabled"] == "${var.iap}"
    assert "iap_enabled" not in configuration.all(SERVICES)["ingest"]
    on_search = {
        name: grant["member"]
        for name, grant in configuration.all("google_cloud_run_v2_service_iam_member").items()
        if grant["name"] == "${local.search_service}" and grant["role"] == "roles/run.invoker"
    }
    assert on_search == {
        "iap_calls_search": "${google_project_service_identity.iap[0].member}",
        "searchers": "${each.key}",  # none with iap, see test_access.py
    }
    [signing_in] = configuration.all("google_iap_web_cloud_run_service_iam_member").values()
    assert signing_in["for_each"] == "${var.iap ? toset(var.searchers) : toset([])}"
    assert signing_in["role"] == "roles/iap.httpsResourceAccessor"
    assert signing_in["member"] == "${each.key}"
    assert signing_in["project"] == "${data.google_project.this.number}"  # the API wants no id
    everywhere = [g["address"] for g in configuration.grants() if g["role"].startswith("roles/iap")]
    assert everywhere == ["google_iap_web_cloud_run_service_iam_member.searchers"]


def test_with_iap_search_serves_the_page_and_no_bucket_does(configuration: Configuration) -> None:
    environment = configuration.locals["environment"]
    assert environment["CLIPSEARCH_SITE"] == '${var.iap ? local.page_path : ""}'
    assert configuration.locals["has_public_page"] == "${var.public_page && !var.iap}"
    assert configuration.outputs["page_url"]["value"].startswith(
        '${var.iap ? "${local.search_url}/page/"'
    )


def test_the_model_that_terraform_uploads_is_always_allowed(configuration: Configuration) -> None:
    assert "default" in configuration.variables["pinned_models"]
    assert configuration.locals["bundle_sha256"] == '${filesha256("${local.bundle}/model.json")}'
    assert configuration.locals["allowed_models"] == (
        "${var.pinned_models == null ? [] : "
        "distinct(concat([local.bundle_sha256], var.pinned_models))}"
    )


def test_nothing_is_made_before_the_apis_work(configuration: Configuration) -> None:
    """An API that was just turned on refuses requests for a while."""
    waits = configuration.all("time_sleep")["apis"]
    assert waits["depends_on"] == ["${google_project_service.apis}"]
    assert int(waits["create_duration"].removesuffix("s")) >= 60
    for type_ in ("google_pubsub_topic", "google_storage_bucket", "google_logging_metric"):
        for name, resource in configuration.all(type_).items():
            assert resource["depends_on"] == ["${time_sleep.apis}"], f"{type_}.{name}"
    hasty = {
        f"{type_}.{name}"
        for type_, named in configuration.resources.items()
        for name, resource in named.items()
        if "${google_project_service.apis}" in resource.get("depends_on", [])
    }
    assert hasty == {"time_sleep.apis"}
