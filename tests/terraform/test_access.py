"""Permissions: each part has the least that works, and only chosen parts are public."""

from __future__ import annotations

import re

from clipsearch.model.pointer import FOLDER
from tests.terraform.conftest import TERRAFORM, Configuration

# All permissions of each part. Add a new grant here too: it is a decision.
GRANTS = {
    "build": {
        "roles/artifactregistry.writer",
        "roles/logging.logWriter",
        "roles/storage.objectViewer",
    },
    "bulk": {
        "roles/artifactregistry.reader",
        "roles/dataflow.worker",
        "roles/storage.objectCreator",
        "roles/storage.objectUser",
        "roles/storage.objectViewer",
    },
    "ingest": {
        "roles/pubsub.publisher",
        "roles/storage.objectCreator",
        "roles/storage.objectUser",
        "roles/storage.objectViewer",
    },
    "mirror": {"roles/storage.objectUser", "roles/storage.objectViewer"},
    "starter": {"roles/run.invoker"},
    "stopper": {"${google_project_iam_custom_role.closes[0].name}"},
    "search": {"${google_project_iam_custom_role.signer[0].name}", "roles/storage.objectViewer"},
    "trigger": {"roles/eventarc.eventReceiver", "roles/run.invoker"},
}
WRITING = ("objectUser", "objectAdmin", "objectCreator", "storage.admin", "legacyBucketWriter")


def test_each_part_has_the_roles_it_needs_and_no_other(configuration: Configuration) -> None:
    found: dict[str, set[str]] = {part: set() for part in GRANTS}
    for grant in configuration.grants():
        account = re.fullmatch(
            r"\$\{google_service_account\.(\w+)(?:\[0\])?\.member\}", grant["member"]
        )
        if account:
            found[account[1]].add(grant["role"])
    assert found == GRANTS


def test_roles_for_the_whole_project_are_few_and_conditional_where_they_read(
    configuration: Configuration,
) -> None:
    project = configuration.all("google_project_iam_member")
    assert {name: body["role"] for name, body in project.items()} == {
        "build_reads_upload": "roles/storage.objectViewer",
        "build_writes_log": "roles/logging.logWriter",
        "bulk_works": "roles/dataflow.worker",
        "eventarc_agent": "roles/eventarc.serviceAgent",
        "storage_agent": "roles/pubsub.publisher",
        "trigger_receives": "roles/eventarc.eventReceiver",
    }
    [condition] = project["build_reads_upload"]["condition"]
    assert "projects/_/buckets/gcf-v2-sources-" in condition["expression"]


def test_googles_own_agents_are_made_before_they_are_needed(configuration: Configuration) -> None:
    """A fresh project lacks them, and resources that need them fail."""
    agents = configuration.all("google_project_service_identity")
    assert {agent["service"].split(".")[0] for agent in agents.values()} == {
        "cloudscheduler",
        "eventarc",
        "iap",
        "pubsub",
    }
    assert all(agent["provider"] == "google-beta" for agent in agents.values())
    granted = {
        (agent, grant["role"])
        for grant in configuration.grants()
        for agent in re.findall(r"google_project_service_identity\.(\w+)[.[]", grant["member"])
    }
    assert granted == {
        ("eventarc", "roles/eventarc.serviceAgent"),
        ("iap", "roles/run.invoker"),
        ("pubsub", "roles/pubsub.publisher"),
        ("pubsub", "roles/pubsub.subscriber"),
        ("scheduler", "roles/iam.serviceAccountTokenCreator"),
        ("scheduler", "roles/pubsub.publisher"),
    }
    waits = configuration.resources["time_sleep"]["settled"]
    for name in ("eventarc_agent", "storage_agent", "trigger_receives"):
        assert f"${{google_project_iam_member.{name}}}" in waits["depends_on"]
    for name, trigger in configuration.all("google_eventarc_trigger").items():
        assert "${time_sleep.settled}" in trigger["depends_on"], name
    for name, function in configuration.all("google_cloudfunctions2_function").items():
        assert "${time_sleep.settled}" in function["depends_on"], name


def test_who_may_call_is_said_again_when_a_function_is_made_anew(
    configuration: Configuration,
) -> None:
    followed = configuration.all("terraform_data")["services"]
    assert followed["input"] == "${each.value}"
    for part, ids in followed["for_each"].items():
        for type_ in ("google_cloudfunctions2_function", "google_cloud_run_v2_service"):
            assert f"{type_}.{part}[*].id" in ids
    grants = dict(configuration.all("google_cloud_run_v2_service_iam_member"))
    stopper = grants.pop("trigger_calls_stopper")
    assert stopper["lifecycle"][0]["replace_triggered_by"] == [
        "${google_cloudfunctions2_function.stopper[0].id}"
    ]
    grants |= configuration.all("google_iap_web_cloud_run_service_iam_member")
    for grant in grants.values():
        service = grant.get("name") or grant["cloud_run_service_name"]
        [part] = re.findall(r"local\.(\w+)_service", service)
        [again] = grant["lifecycle"][0]["replace_triggered_by"]
        assert again == f'${{terraform_data.services["{part}"].output}}'


def test_the_stopper_may_close_search_and_nothing_else(configuration: Configuration) -> None:
    role = configuration.all("google_project_iam_custom_role")["closes"]
    assert role["permissions"] == ["run.services.getIamPolicy", "run.services.setIamPolicy"]
    [grant] = [g for g in configuration.grants() if "stopper[0].member" in g["member"]]
    assert grant["address"] == "google_cloud_run_v2_service_iam_member.stopper_closes_search"
    assert grant["name"] == "${local.search_service}"


def test_grants_are_added_and_never_replace_those_of_others(configuration: Configuration) -> None:
    replacing = [t for t in configuration.resources if t.endswith(("_iam_binding", "_iam_policy"))]
    assert replacing == []


def test_everybody_is_let_in_only_where_public_was_chosen(configuration: Configuration) -> None:
    public = {g["address"]: g for g in configuration.grants() if "allUsers" in str(g)}
    assert set(public) == {
        "google_storage_bucket_iam_member.everybody_reads",
        "google_cloud_run_v2_service_iam_member.searchers",
    }
    reads = public["google_storage_bucket_iam_member.everybody_reads"]
    assert reads["role"] == "roles/storage.legacyObjectReader"  # without listing
    assert reads["for_each"] == (
        "${merge(local.has_public_page ? {site = google_storage_bucket.site.name} : {}, "
        "var.public ? {thumbnails = google_storage_bucket.thumbnails.name} : {}, "
        "var.public && !local.has_photos_bucket ? {photos = local.photos_bucket} : {})}"
    )
    calls = public["google_cloud_run_v2_service_iam_member.searchers"]
    assert calls["for_each"] == (
        '${var.public ? toset(["allUsers"]) : var.iap ? toset([]) : toset(var.searchers)}'
    )
    everything = "".join(path.read_text() for path in TERRAFORM.glob("*.tf"))
    assert "allAuthenticatedUsers" not in everything
    assert "default" not in configuration.variables["public"]  # the person who deploys must decide


def test_buckets_that_nobody_reads_from_outside_can_never_become_public(
    configuration: Configuration,
) -> None:
    found = {
        name: bucket["public_access_prevention"]
        for name, bucket in configuration.all("google_storage_bucket").items()
    }
    as_chosen = '${var.public ? "inherited" : "enforced"}'
    assert found == {
        "index": "enforced",
        "photos": as_chosen,
        "site": '${local.has_public_page ? "inherited" : "enforced"}',
        "source": "enforced",
        "staging": "enforced",
        "thumbnails": as_chosen,
    }
    for name, bucket in configuration.all("google_storage_bucket").items():
        assert bucket["uniform_bucket_level_access"] is True, name


def test_what_can_be_made_again_is_not_kept_after_it_was_deleted(
    configuration: Configuration,
) -> None:
    for name, bucket in configuration.all("google_storage_bucket").items():
        if name == "photos":
            assert "soft_delete_policy" not in bucket  # Google's 7 days
            assert bucket["force_destroy"] is False
        elif name == "index":  # on request: it costs hours to make again
            [policy] = bucket["soft_delete_policy"]
            assert policy["retention_duration_seconds"] == "${var.protect_index ? 604800 : 0}"
        else:
            assert bucket["soft_delete_policy"] == [{"retention_duration_seconds": 0}], name


def test_nothing_writes_to_the_bucket_that_triggers(configuration: Configuration) -> None:
    writes = [g for g in configuration.grants() if g["role"].endswith(WRITING)]
    found = {grant["address"].split(".")[1]: grant for grant in writes}
    assert "photos" not in str(found.pop("bulk_writes")["for_each"])
    assert {name: grant["bucket"] for name, grant in found.items()} == {
        "bulk_creates": "${google_storage_bucket.index.name}",
        "ingest_adds_pointers": "${google_storage_bucket.index.name}",
        "ingest_writes_index": "${google_storage_bucket.index.name}",
        "ingest_writes_thumbnails": "${google_storage_bucket.thumbnails.name}",
        "mirror_writes": "${google_storage_bucket.index.name}",
    }
    uploads = {o["bucket"] for o in configuration.all("google_storage_bucket_object").values()}
    assert not any("photos" in bucket for bucket in uploads)


def test_a_photos_bucket_that_something_writes_to_is_refused(configuration: Configuration) -> None:
    """Only photos_bucket can introduce the same name, so Terraform compares the names."""
    kinds = re.findall(r'"(\w+)"', configuration.locals["written_buckets"].split("]")[0])
    buckets = configuration.all("google_storage_bucket")
    for name, bucket in buckets.items():
        assert bucket["name"] == f"${{var.project}}-${{var.name}}-{name}"
    assert set(kinds) == set(buckets) - {"photos"}
    trigger = configuration.all("google_eventarc_trigger")["photos"]
    own, others = (rule["condition"] for rule in trigger["lifecycle"][0]["precondition"])
    assert own == "${!contains(local.written_buckets, local.photos_bucket)}"
    [pattern] = re.findall(r'!can\(regex\("(.+)", local.photos_bucket\)\)', others)
    pattern = pattern.replace("${var.project}", "my-project")
    assert [re.search(pattern, f"my-project-other-{kind}") is None for kind in buckets] == [
        kind not in ("index", "thumbnails") for kind in buckets
    ]
    criteria = {c["attribute"]: c["value"] for c in trigger["matching_criteria"]}
    assert criteria["bucket"] == "${local.photos_bucket}"


def test_ingest_may_write_no_model(configuration: Configuration) -> None:
    """Beside the models it only adds pointers, without the right to change or delete one."""
    grants = configuration.all("google_storage_bucket_iam_member")
    below = "projects/_/buckets/${google_storage_bucket.index.name}/objects/"
    is_object = 'resource.type == "storage.googleapis.com/Object"'
    of_ingest = {
        name: (grant["role"], grant["condition"][0]["expression"])
        for name, grant in grants.items()
        if "account.ingest" in grant["member"] and "condition" in grant
    }
    assert of_ingest == {
        "ingest_writes_index": (
            "roles/storage.objectUser",
            f'{is_object} && !resource.name.startsWith("{below}models/")',
        ),
        "ingest_adds_pointers": (
            "roles/storage.objectCreator",
            f'{is_object} && resource.name.startsWith("{below}{FOLDER}")',
        ),
    }
    ours = grants["ingest_writes_index"]["condition"]
    assert grants["bulk_creates"]["condition"] == ours  # it decodes the same files
    # lists are rights on the bucket, which no condition on objects gives
    assert grants["ingest_reads_index"]["role"] == "roles/storage.objectViewer"
    assert "condition" not in grants["ingest_reads_index"]


def test_search_may_sign_and_do_nothing_else_as_its_account(configuration: Configuration) -> None:
    role = configuration.all("google_project_iam_custom_role")["signer"]
    assert role["permissions"] == ["iam.serviceAccounts.signBlob"]
    signs = configuration.all("google_service_account_iam_member")["search_signs"]
    assert signs["service_account_id"] == "${google_service_account.search.name}"
    assert signs["member"] == "${google_service_account.search.member}"
    assert signs["count"] == role["count"] == "${var.public ? 0 : 1}"
