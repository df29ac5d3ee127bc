# Alerts by email; none without an address. These use Google's own metrics: a policy on a log-based
# metric is refused until its first log line. log_alerts.tf has those on log lines, slo.tf those on
# objectives, uptime.tf that on the uptime check, mirror_alert.tf that on the mirror. Each has a
# runbook in docs/runbooks/.

resource "google_monitoring_notification_channel" "email" {
  count = var.email != "" ? 1 : 0

  display_name = "${var.name}: ${var.email}"
  type         = "email"
  labels       = { email_address = var.email }

  depends_on = [time_sleep.apis]
}

locals {
  # the last line of an alert's mail
  runbooks = {
    for key in concat(keys(local.alerts), keys(local.log_alerts), keys(local.objectives), ["no_mirror", "no_reconcile", "unreachable"]) :
    key => "Runbook: ${var.runbooks}/${replace(key, "_", "-")}.md"
  }

  channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  alerts = {
    errors = {
      title     = "search or ingest answers 5xx"
      text      = "More than 5 such answers in 10 minutes. Read the logs of the service. /status of search names damaged or missing objects."
      filter    = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = monitoring.regex.full_match(\"${local.search_name}|${local.ingest_name}\") AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      align     = "ALIGN_DELTA"
      reduce    = "REDUCE_SUM"
      threshold = 5
    }
    stale = {
      title     = "photos wait for ingest"
      text      = "An event has waited for more than 30 minutes. Either ingest fails (read its logs), or its instances cannot keep up with the uploads (raise ingest.max_instances)."
      filter    = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = monitoring.regex.full_match(\"${join("|", [for s in values(local.event_subscriptions) : basename(s)])}\") AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      align     = "ALIGN_MAX"
      reduce    = "REDUCE_MAX"
      threshold = 1800
    }
    dead_letters = {
      title     = "a photo was given up"
      text      = "Its event is in the subscription ${var.name}-dead-letters, its reason in /status. The next reconcile tries it again."
      filter    = "${local.dead_letters_metric}/num_undelivered_messages\""
      align     = "ALIGN_MAX"
      reduce    = "REDUCE_MAX"
      threshold = 0
    }
    ceiling = {
      title     = "ingest is at its ceiling"
      text      = "ingest has used all its instances for 30 minutes. The cause is a very large upload, or a loop that uploads without end."
      filter    = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${local.ingest_name}\" AND metric.type = \"run.googleapis.com/container/instance_count\" AND metric.labels.state = \"active\""
      align     = "ALIGN_MIN"
      reduce    = "REDUCE_SUM"
      threshold = var.ingest.max_instances - 1
    }
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = { for key, alert in local.alerts : key => alert if var.email != "" }

  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = each.key == "ceiling" ? "1800s" : "0s"
      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = each.value.align
        cross_series_reducer = each.value.reduce
      }
    }
  }
  documentation {
    content   = "${each.value.text}\n\n${local.runbooks[each.key]}"
    mime_type = "text/markdown"
  }
  alert_strategy { auto_close = "86400s" }

  depends_on = [time_sleep.apis]
}
