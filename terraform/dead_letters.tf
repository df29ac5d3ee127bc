# What was given up, kept for a person to look at.

resource "google_pubsub_topic" "dead_letters" {
  # checkov:skip=CKV_GCP_83: names of photos, under the keys that Google manages; an own key is billed by the month
  name       = "${var.name}-dead-letters"
  depends_on = [google_project_service.apis]
}

resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.name}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  message_retention_duration = "2678400s" # 31 days, the longest there is
  expiration_policy { ttl = "" }          # never: it is meant to be empty for months
}

# Eventarc makes the subscriptions of its triggers itself, and they drop after a day what was
# never answered 2xx. Terraform can let Pub/Sub move it here instead, but only gcloud can tell it
# to: the output dead_letter_commands.
locals {
  event_triggers = merge(google_eventarc_trigger.photos, { maintenance = google_eventarc_trigger.maintenance })
  # "none": a mocked provider makes no subscriptions
  event_subscriptions = {
    for kind, trigger in local.event_triggers : kind => try(trigger.transport[0].pubsub[0].subscription, "none")
  }
}

resource "google_pubsub_topic_iam_member" "pubsub_gives_up" {
  topic  = google_pubsub_topic.dead_letters.id
  role   = "roles/pubsub.publisher"
  member = google_project_service_identity.pubsub.member
}

resource "google_pubsub_subscription_iam_member" "pubsub_gives_up" {
  for_each = local.event_subscriptions

  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = google_project_service_identity.pubsub.member
}
