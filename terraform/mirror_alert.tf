# Is the mirror whole? Each run that ends writes one line with the photos of its table. A mirror
# that was not whole for three days begins a new table (docs/engine.md); the alert comes after one.

locals {
  mirror_log = "resource.type=\"cloud_run_job\" resource.labels.job_name=\"${local.mirror_name}\""

  mirror_charts = [for chart in [
    {
      # one value per run, so the mean is the value; a percentile would interpolate
      title  = "Mirror: photos in the table, at each run"
      filter = "resource.type = \"cloud_run_job\" AND metric.type = \"logging.googleapis.com/user/${var.name}/mirrored\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_MEAN"
      by     = []
    },
  ] : chart if var.engine != ""]
}

resource "google_logging_metric" "mirrored" {
  count = local.engines

  name            = "${var.name}/mirrored"
  filter          = "${local.mirror_log} jsonPayload.table:* jsonPayload.photos>=0"
  value_extractor = "EXTRACT(jsonPayload.photos)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "1"
  }
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 64
      growth_factor      = 1.4
      scale              = 0.1 # as in metrics.tf
    }
  }

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_alert_policy" "no_mirror" {
  count = var.engine != "" && var.email != "" ? 1 : 0

  display_name          = "${var.name}: the mirror is not whole"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "no run of the mirror has ended for a day"
    condition_prometheus_query_language {
      # PromQL's name of the metric above; absent also before the first run
      query                     = "absent_over_time(logging_googleapis_com:user_${replace(var.name, "-", "_")}_mirrored_count{monitored_resource=\"cloud_run_job\"}[12h])"
      duration                  = "43200s" # and the window: a day. Together they may have 25 hours
      evaluation_interval       = "600s"
      disable_metric_validation = true # the metric has no value before the first run
    }
  }
  documentation {
    content   = "search reads all newer photos from segments, which takes more and more time and memory. After three days the mirror begins a new table.\n\n${local.runbooks["no_mirror"]}"
    mime_type = "text/markdown"
  }
  alert_strategy { auto_close = "86400s" }

  depends_on = [google_logging_metric.mirrored]
}
