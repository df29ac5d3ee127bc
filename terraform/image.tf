# runtime = "image": both parts as Cloud Run services of one container image, instead of functions.
# The rest of the configuration asks the locals below for names and the URL, whichever runs.

variable "image" {
  description = "With runtime = \"image\": the container image by its digest, such as europe-west1-docker.pkg.dev/MY-PROJECT/clipsearch/clipsearch@sha256:…. `make image` builds one. To roll back, set the digest before."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9.-]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64})?$", var.image))
    error_message = "image must name an image by its digest: HOST/PATH@sha256: and 64 hexadecimal digits. A tag may mean another image tomorrow."
  }
  validation {
    condition     = (var.runtime == "image") == (var.image != "")
    error_message = "image must be set with runtime = \"image\", and only then."
  }
}

variable "runtime" {
  description = "\"functions\": Cloud Functions builds both parts from this folder. \"image\": Cloud Run runs the container image of the variable image, and nothing is built. A change makes new services before it removes the old ones; search gets another URL."
  type        = string
  default     = "functions"
  nullable    = false

  validation {
    condition     = contains(["functions", "image"], var.runtime)
    error_message = "runtime must be \"functions\" or \"image\"."
  }
}

locals {
  is_image = var.runtime == "image"

  # The Cloud Run services. Those of an image have names of their own: Terraform may make a new
  # service before it removes the function of the same part.
  search_service = one(concat(google_cloudfunctions2_function.search[*].name, google_cloud_run_v2_service.search[*].name))
  ingest_service = one(concat(google_cloudfunctions2_function.ingest[*].name, google_cloud_run_v2_service.ingest[*].name))
  search_url     = one(concat(google_cloudfunctions2_function.search[*].service_config[0].uri, google_cloud_run_v2_service.search[*].uri))

  # for filters of logs and metrics, which must not wait for the services
  search_name = local.is_image ? "${var.name}-search-image" : "${var.name}-search"
  ingest_name = local.is_image ? "${var.name}-ingest-image" : "${var.name}-ingest"

  image_environment = { LOG_EXECUTION_ID = "true" } # Cloud Functions sets it
}

# A service that is made anew has lost its roles. They are made anew with it, by these resources:
# replace_triggered_by refuses a resource that does not exist.
resource "terraform_data" "services" {
  for_each = {
    search = one(concat(google_cloudfunctions2_function.search[*].id, google_cloud_run_v2_service.search[*].id))
    ingest = one(concat(google_cloudfunctions2_function.ingest[*].id, google_cloud_run_v2_service.ingest[*].id))
  }

  input = each.value
}

resource "google_cloud_run_v2_service" "search" {
  count = local.is_image ? 1 : 0

  name                = local.search_name
  location            = var.region
  description         = "Searches photos by words or by a picture"
  ingress             = "INGRESS_TRAFFIC_ALL"
  iap_enabled         = var.iap
  deletion_protection = false # it keeps nothing

  template {
    service_account                  = google_service_account.search.email
    timeout                          = "60s"
    max_instance_request_concurrency = var.search.concurrency

    scaling {
      min_instance_count = var.search.min_instances
      max_instance_count = var.search.max_instances
    }
    containers {
      image = local.search_image
      ports { container_port = 8080 }
      resources {
        limits            = { cpu = tostring(var.search.cpu), memory = "${var.search.memory_gib}Gi" }
        cpu_idle          = true # billed by the request
        startup_cpu_boost = true
      }
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60
        http_get { path = "/health" }
      }
      dynamic "env" {
        for_each = merge(local.environment, local.search_environment, local.image_environment, { FUNCTION_TARGET = "search" })
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  depends_on = [
    google_storage_bucket_object.current, # a search without a model is a 503
    time_sleep.settled,
  ]
}

resource "google_cloud_run_v2_service" "ingest" {
  count = local.is_image ? 1 : 0

  name                = local.ingest_name
  location            = var.region
  description         = "Indexes uploaded photos, removes deleted ones, and maintains the index"
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = false # it keeps nothing

  template {
    service_account                  = google_service_account.ingest.email
    timeout                          = "540s" # below Pub/Sub's deadline of ten minutes (deliveries.tf)
    max_instance_request_concurrency = 1

    scaling {
      min_instance_count = 0
      max_instance_count = var.ingest.max_instances
    }
    containers {
      image = var.image
      ports { container_port = 8080 }
      resources {
        limits            = { cpu = tostring(var.ingest.cpu), memory = "${var.ingest.memory_gib}Gi" }
        cpu_idle          = true # billed by the request
        startup_cpu_boost = true
      }
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60
        tcp_socket { port = 8080 } # it answers events only
      }
      dynamic "env" {
        for_each = merge(local.environment, local.ingest_environment, local.image_environment, { FUNCTION_TARGET = "ingest" })
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  depends_on = [
    google_cloud_run_v2_service.search, # readers ship before writers
    google_pubsub_topic_iam_member.ingest_publishes,
    google_storage_bucket_object.current,
    time_sleep.settled,
  ]
}
