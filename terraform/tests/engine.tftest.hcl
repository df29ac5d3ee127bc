# An engine is opt-in, and its mirror may do no more than it needs.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "google" {
  alias = "billing"
}
mock_provider "google-beta" {}
mock_provider "time" {}

variables {
  project = "my-project"
  public  = true
  email   = "me@example.org"
}

run "no_engine" {
  command = plan

  assert {
    condition     = length(google_cloud_run_v2_job.mirror) == 0 && length(google_cloud_scheduler_job.mirror) == 0 && length(google_service_account.mirror) == 0 && length(google_service_account.starter) == 0
    error_message = "Without an engine, there must be no mirror."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.mirror_writes) == 0 && length(google_monitoring_alert_policy.no_mirror) == 0 && length(google_logging_metric.mirrored) == 0
    error_message = "Without an engine, nothing may write a table or watch one."
  }
  assert {
    condition     = !can(google_cloudfunctions2_function.search[0].service_config[0].environment_variables["CLIPSEARCH_ENGINE"])
    error_message = "Without an engine, search must not get the setting."
  }
  assert {
    condition     = output.mirror_command == "" && tonumber(output.idle_cost_usd_per_month.mirror) == 0
    error_message = "Without an engine, there is no command and no cost."
  }
}

run "engine" {
  command = plan

  variables {
    runtime      = "image"
    image        = "europe-west1-docker.pkg.dev/my-project/clipsearch/clipsearch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    engine       = "lance"
    engine_image = "europe-west1-docker.pkg.dev/my-project/clipsearch/engine@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  }

  assert {
    condition     = google_cloud_run_v2_service.search[0].template[0].containers[0].image == var.engine_image && google_cloud_run_v2_service.ingest[0].template[0].containers[0].image == var.image
    error_message = "search must run the image with the engine, and ingest the other one."
  }
  assert {
    condition     = one([for env in google_cloud_run_v2_service.search[0].template[0].containers[0].env : env.value if env.name == "CLIPSEARCH_ENGINE"]) == "lance"
    error_message = "search must read the table."
  }
  assert {
    condition     = length([for env in google_cloud_run_v2_service.ingest[0].template[0].containers[0].env : env if env.name == "CLIPSEARCH_ENGINE"]) == 0
    error_message = "ingest knows no engine."
  }
  assert {
    condition     = google_cloud_run_v2_job.mirror[0].template[0].template[0].containers[0].image == var.engine_image && google_cloud_run_v2_job.mirror[0].template[0].template[0].max_retries == 0
    error_message = "The mirror must run the image with the engine, once for each start."
  }
  assert {
    condition     = google_cloud_scheduler_job.mirror[0].schedule == "4-59/10 * * * *"
    error_message = "The mirror must run every ten minutes."
  }
  assert {
    condition     = keys(google_storage_bucket_iam_member.mirror_writes) == ["mirror", "tables"] && alltrue([for grant in google_storage_bucket_iam_member.mirror_writes : length(grant.condition) == 1])
    error_message = "The mirror may write its own objects only."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.no_mirror) == 1
    error_message = "An address must turn on the alert on the mirror."
  }
}

run "every_hour" {
  command = plan

  variables {
    runtime      = "image"
    image        = "europe-west1-docker.pkg.dev/my-project/clipsearch/clipsearch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    engine       = "lance"
    engine_image = "europe-west1-docker.pkg.dev/my-project/clipsearch/engine@sha256:1111111111111111111111111111111111111111111111111111111111111111"
    mirror       = { cpu = 2, memory_gib = 8, minutes = 60 }
  }

  assert {
    condition     = google_cloud_scheduler_job.mirror[0].schedule == "4 * * * *"
    error_message = "The mirror must run every hour."
  }
  assert {
    condition     = google_cloud_run_v2_job.mirror[0].template[0].template[0].timeout == "3540s"
    error_message = "A run must end before the next one."
  }
  assert {
    condition     = google_cloud_run_v2_job.mirror[0].template[0].template[0].containers[0].resources[0].limits == tomap({ cpu = "2", memory = "8Gi" })
    error_message = "The size must reach the job."
  }
}

run "an_engine_needs_images" {
  command = plan

  variables {
    engine       = "lance"
    engine_image = "europe-west1-docker.pkg.dev/my-project/clipsearch/engine@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  }

  expect_failures = [var.engine]
}
