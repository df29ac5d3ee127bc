# With stop_at_budget: budget -> Pub/Sub -> stopper, which takes away the permission to call search.
# An apply gives it back (google_cloud_run_v2_service_iam_member.searchers).

locals {
  stops = var.stop_at_budget ? 1 : 0
}

resource "google_pubsub_topic" "budget" {
  # checkov:skip=CKV_GCP_83: only amounts of money, with Google-managed keys; a customer-managed key is billed by the month
  count = local.stops

  name       = "${var.name}-budget"
  depends_on = [time_sleep.apis]
}

resource "google_cloudfunctions2_function" "stopper" {
  count = local.stops

  name        = "${var.name}-stopper"
  location    = var.region
  description = "Closes search when the budget is used up"

  build_config {
    runtime           = "python313"
    entry_point       = "stopper"
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.images.id
    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.functions.name
      }
    }
  }

  service_config {
    available_cpu                    = "1"
    available_memory                 = "512Mi"
    max_instance_request_concurrency = 1
    min_instance_count               = 0
    max_instance_count               = 1
    timeout_seconds                  = 120
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    service_account_email            = google_service_account.stopper[0].email
    environment_variables = {
      STOPPER_SERVICE      = "projects/${var.project}/locations/${var.region}/services/${local.search_service}"
      GOOGLE_CLOUD_PROJECT = var.project
    }
  }

  event_trigger {
    event_type            = "google.cloud.pubsub.topic.v1.messagePublished"
    trigger_region        = var.region
    pubsub_topic          = google_pubsub_topic.budget[0].id
    service_account_email = google_service_account.trigger.email
    retry_policy          = "RETRY_POLICY_RETRY"
  }

  depends_on = [time_sleep.settled]
}

resource "google_cloud_run_v2_service_iam_member" "trigger_calls_stopper" {
  count = local.stops

  location = var.region
  name     = google_cloudfunctions2_function.stopper[0].name
  role     = "roles/run.invoker"
  member   = google_service_account.trigger.member

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.stopper[0].id]
  }
}

# --- its identity: it may change who may call search, and nothing else

resource "google_service_account" "stopper" {
  count = local.stops

  account_id   = "${var.name}-stopper"
  display_name = "${var.name}: closes search when the budget is used up"
  depends_on   = [time_sleep.apis]
}

# Google's own roles with these permissions may also delete the service.
resource "google_project_iam_custom_role" "closes" {
  count = local.stops

  role_id     = "${replace(var.name, "-", "_")}_closes"
  title       = "${var.name}: changes who may call a service"
  permissions = ["run.services.getIamPolicy", "run.services.setIamPolicy"]
}

resource "google_cloud_run_v2_service_iam_member" "stopper_closes_search" {
  count = local.stops

  location = var.region
  name     = local.search_service
  role     = google_project_iam_custom_role.closes[0].name
  member   = google_service_account.stopper[0].member

  lifecycle {
    replace_triggered_by = [terraform_data.services["search"].output]
  }
}
