# Delivery of events: the time that ingest may take, and dead letters for unanswered events.

# Events that were given up, kept for a person to look at.
resource "google_pubsub_topic" "dead_letters" {
  # checkov:skip=CKV_GCP_83: only names of photos, with Google-managed keys; a customer-managed key is billed by the month
  name       = "${var.name}-dead-letters"
  depends_on = [time_sleep.apis]
}

resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.name}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  message_retention_duration = "2678400s" # 31 days, the maximum
  expiration_policy { ttl = "" }          # never expires: it may be empty for months
}

# Eventarc makes the subscriptions of its triggers itself. They deliver an event again after 10
# seconds without an answer, while ingest still works on it. They drop it after a day. You can only
# change that in Pub/Sub itself (terraform-provider-google#17701, #17697).
locals {
  event_triggers = merge(google_eventarc_trigger.photos, { maintenance = google_eventarc_trigger.maintenance })
  # "none": a mocked provider makes no subscriptions
  event_subscriptions = {
    for kind, trigger in local.event_triggers : kind => try(trigger.transport[0].pubsub[0].subscription, "none")
  }
  delivery_options = join(" ", [
    "--ack-deadline=600", # the maximum; above ingest's timeout
    "--dead-letter-topic=${google_pubsub_topic.dead_letters.id}",
    "--max-delivery-attempts=100", # the maximum: about 16 hours
  ])
  delivery_commands = {
    for kind, subscription in local.event_subscriptions :
    kind => "gcloud --quiet pubsub subscriptions update ${subscription} ${local.delivery_options}"
  }
}

resource "terraform_data" "deliveries" {
  for_each = var.run_gcloud ? local.delivery_commands : {}

  triggers_replace = each.value

  provisioner "local-exec" {
    command = each.value
  }

  depends_on = [google_pubsub_topic_iam_member.pubsub_gives_up, google_pubsub_subscription_iam_member.pubsub_gives_up]
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
