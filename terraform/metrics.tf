# Log-based metrics: the functions log one JSON object for each request and event.

locals {
  ingest_log = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"${local.ingest_name}\""

  log_counts = {
    # 503 of search itself, and 429 of Cloud Run before it: the first says what is missing, the second
    # that max_instances and concurrency are too low
    not-ready    = "${local.search_log} jsonPayload.kind=\"request\" jsonPayload.status=503"
    no-instance  = "${local.search_log} ${local.no_instance}"
    failures     = "${local.ingest_log} jsonPayload.kind=\"event\" jsonPayload.outcome=\"failed\""
    dead-letters = "${local.ingest_log} jsonPayload.kind=\"event\" jsonPayload.outcome=\"given up\""
  }
  log_values = {
    # seconds from the upload until search can find the photo
    freshness = {
      filter = "${local.ingest_log} jsonPayload.kind=\"event\" jsonPayload.outcome=\"indexed\""
      field  = "jsonPayload.age_s"
      unit   = "s"
    }
    # photos that the last reconcile found in the bucket but not in the index
    pending = {
      filter = "${local.ingest_log} jsonPayload.action=\"reconcile\""
      field  = "jsonPayload.pending"
      unit   = "1"
    }
    objects = {
      filter = "${local.ingest_log} jsonPayload.action=\"reconcile\""
      field  = "jsonPayload.objects"
      unit   = "1"
    }
  }
}

resource "google_logging_metric" "counts" {
  for_each = local.log_counts

  name   = "${var.name}/${each.key}"
  filter = each.value

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [time_sleep.apis]
}

resource "google_logging_metric" "values" {
  for_each = local.log_values

  name            = "${var.name}/${each.key}"
  filter          = each.value.filter
  value_extractor = "EXTRACT(${each.value.field})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit
  }
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 64
      growth_factor      = 1.4
      scale              = 0.1 # to 0.1 x 1.4^64, some hundred millions
    }
  }

  depends_on = [time_sleep.apis]
}
