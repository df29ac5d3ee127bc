# The ingest function, and its triggers: uploaded and deleted photos.

locals {
  ingest_environment = {
    CLIPSEARCH_KEEP_PLACES = var.keep_places ? "1" : "0"
    CLIPSEARCH_PREVIEWS    = var.previews ? "1" : "0"
  }
}

resource "google_cloudfunctions2_function" "ingest" {
  count = local.is_image ? 0 : 1

  name        = "${var.name}-ingest"
  location    = var.region
  description = "Indexes uploaded photos, removes deleted ones, and maintains the index"

  build_config {
    runtime           = "python313"
    entry_point       = "ingest"
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
    available_cpu                    = tostring(var.ingest.cpu)
    available_memory                 = "${var.ingest.memory_gib}Gi"
    max_instance_request_concurrency = 1
    min_instance_count               = 0
    max_instance_count               = var.ingest.max_instances
    timeout_seconds                  = 540 # below Pub/Sub's deadline of ten minutes (deliveries.tf)
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    service_account_email            = google_service_account.ingest.email
    environment_variables            = merge(local.environment, local.ingest_environment)
  }

  depends_on = [
    google_cloudfunctions2_function.search, # readers ship before writers: docs/operations.md, Upgrade
    google_pubsub_topic_iam_member.ingest_publishes,
    google_storage_bucket_object.current,
    time_sleep.settled,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "trigger_calls_ingest" {
  location = var.region
  name     = local.ingest_service
  role     = "roles/run.invoker"
  member   = google_service_account.trigger.member

  lifecycle {
    replace_triggered_by = [terraform_data.services["ingest"].output]
  }
}

# A function has one event_trigger with one type, so three types need three Eventarc triggers. A
# bucket with versions sends `archived` instead of `deleted`. There is no retry_policy on purpose:
# without it, an event without a 2xx answer is delivered again for a day.
resource "google_eventarc_trigger" "photos" {
  for_each = toset(["finalized", "deleted", "archived"])

  name            = "${var.name}-photo-${each.key}"
  location        = lower(local.photos_location) # must be the bucket's location, region or multi-region
  service_account = google_service_account.trigger.email

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.storage.object.v1.${each.key}"
  }
  matching_criteria {
    attribute = "bucket"
    value     = local.photos_bucket
  }
  destination {
    cloud_run_service {
      service = local.ingest_service
      region  = var.region
    }
  }

  lifecycle {
    precondition {
      condition     = !contains(local.written_buckets, local.photos_bucket)
      error_message = "photos_bucket must not be ${local.photos_bucket}: this deployment writes to it, which would trigger ingest again, without end. Choose another bucket."
    }
    # Two deployments that index each other's thumbnails would be a loop too.
    precondition {
      condition     = !can(regex("^${var.project}-[a-z0-9-]+-(index|thumbnails)$", local.photos_bucket))
      error_message = "photos_bucket must not be ${local.photos_bucket}: another deployment may write to a bucket of that name, which would trigger ingest without end. Choose another bucket."
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.trigger_calls_ingest,
    time_sleep.settled,
  ]
}
