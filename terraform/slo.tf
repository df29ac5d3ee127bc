# Objectives (SLOs) of 28 days, and alerts when their error budget burns too fast: a long window, so
# that a single error does not alert, and a short one, so that the alert ends with its cause. The rates
# are those of the SRE workbook: the budget of 28 days is used up in 2 days (fast) or 5 (slow).
# https://sre.google/workbook/alerting-on-slos/

locals {
  search_requests = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"${local.search_name}\" metric.type=\"run.googleapis.com/request_count\""

  objectives = {
    availability = {
      title = "99 % of the requests to search are answered without 5xx"
      goal  = 0.99
      ratio = {
        bad   = "${local.search_requests} metric.labels.response_code_class=\"5xx\""
        total = local.search_requests
      }
      cut = null
    }
    latency = {
      title = "95 % of the requests to search take less than 2 s"
      goal  = 0.95
      ratio = null
      cut = {
        filter = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"${local.search_name}\" metric.type=\"run.googleapis.com/request_latencies\""
        max    = 2000 # ms
      }
    }
    freshness = {
      title = "95 % of the uploads can be found within 5 minutes"
      goal  = 0.95
      ratio = null
      cut = {
        filter = "resource.type=\"cloud_run_revision\" metric.type=\"logging.googleapis.com/user/${var.name}/freshness\""
        max    = 300 # s
      }
    }
  }

  # `rate`: how many times faster than allowed. Windows in seconds.
  burns = {
    fast = { rate = 14.4, long = 3600, short = 300 }
    slow = { rate = 6, long = 21600, short = 1800 }
  }
  burn_alerts = merge([
    for objective, slo in local.objectives : {
      for speed, burn in local.burns : "${objective}_${speed}" => merge(burn, { objective = objective, title = slo.title })
    }
  ]...)
}

resource "google_monitoring_custom_service" "this" {
  count = var.slos ? 1 : 0

  service_id   = var.name
  display_name = var.name

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_slo" "this" {
  for_each = { for key, slo in local.objectives : key => slo if var.slos }

  service             = google_monitoring_custom_service.this[0].service_id
  slo_id              = each.key
  display_name        = each.value.title
  goal                = each.value.goal
  rolling_period_days = 28

  request_based_sli {
    dynamic "good_total_ratio" {
      for_each = each.value.ratio == null ? [] : [each.value.ratio]
      content {
        bad_service_filter   = good_total_ratio.value.bad
        total_service_filter = good_total_ratio.value.total
      }
    }
    dynamic "distribution_cut" {
      for_each = each.value.cut == null ? [] : [each.value.cut]
      content {
        distribution_filter = distribution_cut.value.filter
        range { max = distribution_cut.value.max }
      }
    }
  }

  depends_on = [google_logging_metric.values]
}

resource "google_monitoring_alert_policy" "burn" {
  for_each = { for key, alert in local.burn_alerts : key => alert if var.slos && var.email != "" }

  display_name          = "${var.name}: too few of: ${each.value.title} (${endswith(each.key, "_fast") ? "fast" : "slow"})"
  combiner              = "AND" # both windows
  notification_channels = local.channels

  dynamic "conditions" {
    for_each = { long = each.value.long, short = each.value.short }
    content {
      display_name = "${each.value.rate} times too fast for ${conditions.value / 60} minutes"
      condition_threshold {
        filter          = "select_slo_burn_rate(\"${google_monitoring_slo.this[each.value.objective].name}\", \"${conditions.value}s\")"
        comparison      = "COMPARISON_GT"
        threshold_value = each.value.rate
        duration        = "0s"
      }
    }
  }
  documentation {
    content   = "The objective: ${each.value.title}, over 28 days. Errors use up its budget ${each.value.rate} times too fast.\n\n${local.runbooks[each.value.objective]}"
    mime_type = "text/markdown"
  }
  alert_strategy { auto_close = "86400s" }
}
