# The uptime check: Google asks /health from three continents. Each question starts an instance if
# none runs, which costs money while nobody searches (docs/deploy.md).

resource "google_monitoring_uptime_check_config" "search" {
  count = var.uptime_check ? 1 : 0

  display_name     = "${var.name}: search"
  period           = "900s" # the longest
  timeout          = "30s"  # a cold start takes seconds
  selected_regions = ["USA_VIRGINIA", "EUROPE", "ASIA_PACIFIC"]

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project
      host       = trimprefix(local.search_url, "https://")
    }
  }
  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_alert_policy" "unreachable" {
  count = var.uptime_check && var.email != "" ? 1 : 0

  display_name          = "${var.name}: search cannot be reached"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "two continents cannot reach search"
    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id = \"${google_monitoring_uptime_check_config.search[0].uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "0s"
      aggregations {
        alignment_period     = "1200s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
      }
    }
  }
  documentation {
    content   = "/health of search does not answer, whatever the index.\n\n${local.runbooks["unreachable"]}"
    mime_type = "text/markdown"
  }
  alert_strategy { auto_close = "86400s" }
}
