# Scheduled maintenance: Cloud Scheduler -> Pub/Sub -> Eventarc -> ingest.

resource "google_pubsub_topic" "maintenance" {
  # checkov:skip=CKV_GCP_83: only names of photos, with Google-managed keys; a customer-managed key is billed by the month
  name       = "${var.name}-maintenance"
  depends_on = [time_sleep.apis]
}

locals {
  schedules = {
    compact = {
      schedule    = "7 */3 * * *"
      description = "Merges small segments of the index, and deletes replaced ones"
    }
    reconcile = {
      schedule    = "37 */6 * * *"
      description = "Compares the index with the bucket, and repairs every difference"
    }
  }
}

# A job publishes as Cloud Scheduler's service agent. It usually has this role on the whole project;
# if somebody removed that, the role on this topic is enough.
resource "google_pubsub_topic_iam_member" "scheduler_publishes" {
  topic  = google_pubsub_topic.maintenance.id
  role   = "roles/pubsub.publisher"
  member = google_project_service_identity.scheduler.member
}

resource "google_cloud_scheduler_job" "maintenance" {
  for_each = local.schedules

  name        = "${var.name}-${each.key}"
  region      = var.region
  description = each.value.description
  schedule    = each.value.schedule
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.maintenance.id
    data       = base64encode(jsonencode({ action = each.key }))
  }

  depends_on = [google_pubsub_topic_iam_member.scheduler_publishes]
}

resource "google_eventarc_trigger" "maintenance" {
  name            = "${var.name}-maintenance"
  location        = var.region
  service_account = google_service_account.trigger.email

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.pubsub.topic.v1.messagePublished"
  }
  transport {
    pubsub { topic = google_pubsub_topic.maintenance.id }
  }
  destination {
    cloud_run_service {
      service = local.ingest_service
      region  = var.region
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.trigger_calls_ingest,
    time_sleep.settled,
  ]
}
