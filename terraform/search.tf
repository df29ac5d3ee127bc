# The search function, and the permission to call it.

locals {
  photos_url = (
    var.public
    ? "https://storage.googleapis.com/${local.photos_bucket}"
    # asks the user to sign in, and shows only photos that the user may read
    : "https://storage.cloud.google.com/${local.photos_bucket}"
  )
  thumbnails_url = "https://storage.googleapis.com/${google_storage_bucket.thumbnails.name}"

  # the same for both functions; functions/clipsearch/settings.py lists the settings
  environment = {
    CLIPSEARCH_PHOTOS          = "gs://${local.photos_bucket}"
    CLIPSEARCH_INDEX           = "gs://${google_storage_bucket.index.name}"
    CLIPSEARCH_THUMBNAILS      = "gs://${google_storage_bucket.thumbnails.name}"
    CLIPSEARCH_PHOTOS_URL      = local.photos_url
    CLIPSEARCH_THUMBNAILS_URL  = local.thumbnails_url
    CLIPSEARCH_SIGN_AS         = var.public ? "" : google_service_account.search.email
    CLIPSEARCH_MODEL           = "current"
    CLIPSEARCH_ALLOWED_ORIGINS = join(",", var.allowed_origins)
    CLIPSEARCH_MODEL_SHA256    = join(",", local.allowed_models)
    CLIPSEARCH_SITE_URL        = local.has_public_page ? local.site_url : ""
    CLIPSEARCH_SITE            = var.iap ? local.page_path : ""
    CLIPSEARCH_SUGGESTIONS     = jsonencode(var.suggestions)
    CLIPSEARCH_FETCH_URLS      = var.fetch_urls ? "1" : "0"
    CLIPSEARCH_EMBED           = var.embed ? "1" : "0"
    CLIPSEARCH_CLASSIFY        = var.classify ? "1" : "0"
    CLIPSEARCH_LOG_SAMPLE      = tostring(var.log_sample)
    CLIPSEARCH_RATE_PER_MINUTE = tostring(var.rate_per_minute)
    CLIPSEARCH_PROXIES         = tostring(var.proxies)
    CLIPSEARCH_ROWS            = var.rows
    CLIPSEARCH_TOPIC           = google_pubsub_topic.maintenance.id
    CLIPSEARCH_DEAD_LETTERS    = google_pubsub_topic.dead_letters.id
    GOOGLE_CLOUD_PROJECT       = var.project
    ORT_DISABLE_TELEMETRY      = "1" # turns off the telemetry of ONNX Runtime
  }
}

resource "google_cloudfunctions2_function" "search" {
  # checkov:skip=CKV_GCP_124: browsers call it; IAM decides who may (searchers, below)
  count = local.is_image ? 0 : 1

  name        = "${var.name}-search"
  location    = var.region
  description = "Searches photos by words or by a picture"

  build_config {
    runtime           = "python313"
    entry_point       = "search"
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.images.id
    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.functions.name
      }
    }
  }

  service_config {
    available_cpu                    = tostring(var.search.cpu)
    available_memory                 = "${var.search.memory_gib}Gi"
    max_instance_request_concurrency = var.search.concurrency
    min_instance_count               = var.search.min_instances
    max_instance_count               = var.search.max_instances
    timeout_seconds                  = 60
    ingress_settings                 = "ALLOW_ALL"
    service_account_email            = google_service_account.search.email
    environment_variables            = merge(local.environment, local.search_environment)
  }

  depends_on = [
    google_storage_bucket_object.current, # a search without a model is a 503
    time_sleep.settled,
  ]
}

# run.invoker on the Cloud Run service lets requests in. A replaced service loses the role, so the
# role is replaced too. With iap, only the proxy has it (iap.tf).
resource "google_cloud_run_v2_service_iam_member" "searchers" {
  for_each = var.public ? toset(["allUsers"]) : var.iap ? toset([]) : toset(var.searchers)

  location = var.region
  name     = local.search_service
  role     = "roles/run.invoker"
  member   = each.key

  lifecycle {
    replace_triggered_by = [terraform_data.services["search"].output]
  }
}
