# Alerts on log lines: they need no metric, so they work before the first line. The words are those of
# the functions, and of Cloud Run's own log of requests.

locals {
  search_log  = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"${local.search_name}\""
  both_logs   = "resource.type=\"cloud_run_revision\" resource.labels.service_name=(\"${local.search_name}\" OR \"${local.ingest_name}\")"
  no_instance = "log_id(\"run.googleapis.com/requests\") httpRequest.status=429 textPayload:\"no available instance\""

  log_alerts = {
    damaged = {
      title  = "an object of the index is damaged"
      text   = "Photos may be missing from the results. /status of search names the object."
      filter = "${local.both_logs} severity>=ERROR jsonPayload.message=~\"a damaged object|compaction skips|compaction stops|rebuilt from its segments\""
    }
    refused_model = {
      title  = "the current model cannot be used"
      text   = "search answers with the model before. /status of search has the reason in refused_model."
      filter = "${local.search_log} jsonPayload.message=~\"the model of space .* is refused\""
    }
    no_instance = {
      title  = "Cloud Run turns searches away"
      text   = "All instances of search are busy or starting, so Cloud Run itself answers 429. Such a request never reaches the function. (A 503 is of the function: the chart 'Not ready' has these.)"
      filter = "${local.search_log} ${local.no_instance}"
    }
  }
}

resource "google_monitoring_alert_policy" "logs" {
  for_each = { for key, alert in local.log_alerts : key => alert if var.email != "" }

  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_matched_log { filter = each.value.filter }
  }
  documentation {
    content   = "${each.value.text}\n\n${local.runbooks[each.key]}"
    mime_type = "text/markdown"
  }
  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit { period = "3600s" } # alerts on log lines must have one
  }

  depends_on = [time_sleep.apis]
}

# A reconcile starts every six hours and writes one line with its number of objects.
resource "google_monitoring_alert_policy" "no_reconcile" {
  count = var.email != "" ? 1 : 0

  display_name          = "${var.name}: no reconcile has ended"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "no reconcile has ended for 13 hours"
    condition_prometheus_query_language {
      # PromQL's name of the metric ${var.name}/objects of metrics.tf; absent also before the first one
      query                     = "absent_over_time(logging_googleapis_com:user_${replace(var.name, "-", "_")}_objects_count{monitored_resource=\"cloud_run_revision\"}[7h])"
      duration                  = "21600s" # so a new deployment has 6 hours for its first
      evaluation_interval       = "600s"
      disable_metric_validation = true # the metric has no value before the first reconcile
    }
  }
  documentation {
    content   = "Lost events are not repaired. Two reconciles in a row are missing, or failed.\n\n${local.runbooks["no_reconcile"]}"
    mime_type = "text/markdown"
  }
  alert_strategy { auto_close = "86400s" }

  depends_on = [google_logging_metric.values]
}
