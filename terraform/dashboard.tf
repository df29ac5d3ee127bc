# The dashboard. Trap: the provider sees no change if you only remove a chart.

locals {
  run_metric  = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = monitoring.regex.full_match(\"${local.search_name}|${local.ingest_name}\") AND metric.type = \"run.googleapis.com"
  log_metric  = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${var.name}"
  by_function = ["resource.label.service_name"]

  dead_letters_metric = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letters.name}\" AND metric.type = \"pubsub.googleapis.com/subscription"

  charts = [
    {
      title  = "Requests and events per second"
      filter = "${local.run_metric}/request_count\""
      align  = "ALIGN_RATE", reduce = "REDUCE_SUM"
      by     = ["resource.label.service_name", "metric.label.response_code_class"]
    },
    {
      title  = "Latency, 95th percentile (ms)"
      filter = "${local.run_metric}/request_latencies\""
      align  = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX"
      by     = local.by_function
    },
    {
      title  = "Cold starts: time until an instance listens, 95th percentile (ms)"
      filter = "${local.run_metric}/container/startup_latencies\""
      align  = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX"
      by     = local.by_function
    },
    {
      title  = "Instances"
      filter = "${local.run_metric}/container/instance_count\""
      align  = "ALIGN_MAX", reduce = "REDUCE_SUM"
      by     = local.by_function
    },
    {
      title  = "Freshness: upload to findable, 95th percentile (s)"
      filter = "${local.log_metric}/freshness\""
      align  = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX"
      by     = []
    },
    {
      title  = "Not ready: 503 of search"
      filter = "${local.log_metric}/not-ready\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      by     = []
    },
    {
      title  = "No instance: 429 of Cloud Run, which search never saw"
      filter = "${local.log_metric}/no-instance\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      by     = []
    },
    {
      title  = "Photos that cannot be indexed"
      filter = "${local.log_metric}/failures\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      by     = []
    },
    {
      title  = "Photos that were given up"
      filter = "${local.log_metric}/dead-letters\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      by     = []
    },
    {
      # includes events that Pub/Sub gave up, for which ingest has no log line
      title  = "Dead letters not pulled yet"
      filter = "${local.dead_letters_metric}/num_undelivered_messages\""
      align  = "ALIGN_MAX", reduce = "REDUCE_SUM"
      by     = []
    },
    {
      # one value per reconcile, so the mean is the value; a percentile would interpolate
      title  = "Coverage: photos in the bucket, at the last reconcile"
      filter = "${local.log_metric}/objects\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_MEAN"
      by     = []
    },
    {
      title  = "Coverage: photos not indexed yet, at the last reconcile"
      filter = "${local.log_metric}/pending\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_MEAN"
      by     = []
    },
  ]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 12
      tiles = [for i, chart in concat(local.charts, local.mirror_charts) : {
        xPos   = (i % 2) * 6
        yPos   = floor(i / 2) * 4
        width  = 6
        height = 4
        widget = {
          title = chart.title
          xyChart = {
            dataSets = [{
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = chart.filter
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = chart.align
                    crossSeriesReducer = chart.reduce
                    groupByFields      = chart.by
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })

  depends_on = [time_sleep.apis]
}
