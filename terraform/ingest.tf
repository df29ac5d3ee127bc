# The ingest function, and what brings it to work: photos that come and go.

resource "google_cloudfunctions2_function" "ingest" {
  name        = "${var.name}-ingest"
  location    = var.region
  description = "Index photos as they come and go; look after the index"

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
    timeout_seconds                  = 540 # below the ten minutes after which Pub/Sub delivers again (deliveries.tf)
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    service_account_email            = google_service_account.ingest.email
    environment_variables            = local.environment
  }

  depends_on = [
    google_pubsub_topic_iam_member.ingest_publishes,
    google_storage_bucket_object.current,
    time_sleep.settled,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "trigger_calls_ingest" {
  location = var.region
  name     = google_cloudfunctions2_function.ingest.name
  role     = "roles/run.invoker"
  member   = google_service_account.trigger.member

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.ingest.id]
  }
}

# A function has one event_trigger with one type; three types are three triggers of their own. A
# bucket with versions sends `archived` in place of `deleted`. They deliver again, for a day, what was not answered 2xx: there is no retry_policy, on purpose.
resource "google_eventarc_trigger" "photos" {
  for_each = toset(["finalized", "deleted", "archived"])

  name            = "${var.name}-photo-${each.key}"
  location        = lower(local.photos_location) # must be the bucket's own, region or multi-region
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
      service = google_cloudfunctions2_function.ingest.name
      region  = var.region
    }
  }

  lifecycle {
    precondition {
      condition     = !contains(local.written_buckets, local.photos_bucket)
      error_message = "The photos must not be in ${local.photos_bucket}: what is written there would trigger ingest again, without end."
    }
    # Two deployments that index each other's thumbnails would be a loop, too.
    precondition {
      condition     = !can(regex("^${var.project}-[a-z0-9-]+-(index|thumbnails)$", local.photos_bucket))
      error_message = "The photos must not be in ${local.photos_bucket}: it has the name of a bucket that another deployment writes to."
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.trigger_calls_ingest,
    time_sleep.settled,
  ]
}
