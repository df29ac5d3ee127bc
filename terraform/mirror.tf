# The mirror: Cloud Scheduler -> a Cloud Run job -> the table of Lance in the index bucket. Two runs
# at once lose nothing, but one that compacts the table defeats one that indexes its vectors. So a run
# ends before the schedule starts the next.

resource "google_cloud_run_v2_job" "mirror" {
  count = local.engines

  name                = local.mirror_name
  location            = var.region
  deletion_protection = false # it keeps nothing

  template {
    task_count  = 1
    parallelism = 1

    template {
      service_account = google_service_account.mirror[0].email
      # What a stopped run has applied is kept. If it was indexing the vectors, or reading the tombstones
      # for a new table, that starts again.
      timeout     = "${60 * var.mirror.minutes - 60}s"
      max_retries = 0 # the schedule starts the next run

      containers {
        image = var.engine_image
        args  = ["mirror", "--quiet", "--json"]
        resources {
          limits = { cpu = tostring(var.mirror.cpu), memory = "${var.mirror.memory_gib}Gi" }
        }
        dynamic "env" {
          for_each = local.mirror_environment
          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }

  depends_on = [
    google_storage_bucket_iam_member.mirror_reads_index,
    google_storage_bucket_iam_member.mirror_writes,
    google_storage_bucket_object.current, # without a model it fails
    time_sleep.settled,
  ]
}

locals {
  mirror_name        = "${var.name}-mirror"
  index_objects      = "projects/_/buckets/${google_storage_bucket.index.name}/objects/"
  mirror_environment = { for name in ["CLIPSEARCH_INDEX", "CLIPSEARCH_MODEL"] : name => local.environment[name] }
}

resource "google_cloud_scheduler_job" "mirror" {
  count = local.engines

  name        = local.mirror_name
  region      = var.region
  description = "Mirrors what is new in the index"
  schedule    = var.mirror.minutes == 60 ? "4 * * * *" : "4-59/${var.mirror.minutes} * * * *"
  time_zone   = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.mirror[0].id}:run"
    # a Google API wants an access token; an oidc_token is for one's own services
    oauth_token { service_account_email = google_service_account.starter[0].email }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.starter_runs_mirror, google_service_account_iam_member.scheduler_acts_as_starter]
}

# --- mirror: reads the index, and writes the table and what the mirror holds

resource "google_service_account" "mirror" {
  count = local.engines

  account_id   = local.mirror_name
  display_name = "${var.name}: mirrors the index"
  depends_on   = [time_sleep.apis]
}

resource "google_storage_bucket_iam_member" "mirror_reads_index" {
  count = local.engines

  bucket = google_storage_bucket.index.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.mirror[0].member
}

# Any space, because a switch makes another one current. extract() gives what is in place of the
# braces, which may have slashes: the comparison says that it is the first part of the name and no
# more. The folder of the models, which are code for ONNX Runtime, is no space.
resource "google_storage_bucket_iam_member" "mirror_writes" {
  for_each = toset(var.engine == "" ? [] : ["mirror", "tables"])

  bucket = google_storage_bucket.index.name
  role   = "roles/storage.objectUser"
  member = google_service_account.mirror[0].member

  condition {
    title = "${each.key} of a space"
    expression = join(" && ", [
      "resource.type == \"storage.googleapis.com/Object\"",
      "!resource.name.startsWith(\"${local.index_objects}models/\")",
      "resource.name.extract(\"${local.index_objects}{space}/${each.key}/\") != \"\"",
      "resource.name.extract(\"${local.index_objects}{space}/${each.key}/\") == resource.name.extract(\"${local.index_objects}{space}/\")",
    ])
  }
}

# --- starter: runs the job, and can do nothing else

resource "google_service_account" "starter" {
  count = local.engines

  account_id   = "${var.name}-starter"
  display_name = "${var.name}: starts the mirror"
  depends_on   = [time_sleep.apis]
}

resource "google_cloud_run_v2_job_iam_member" "starter_runs_mirror" {
  count = local.engines

  location = var.region
  name     = google_cloud_run_v2_job.mirror[0].name
  role     = "roles/run.invoker"
  member   = google_service_account.starter[0].member

  lifecycle {
    replace_triggered_by = [google_cloud_run_v2_job.mirror[0].id] # a new job has lost its roles
  }
}

# Cloud Scheduler's service agent usually has this right on the whole project; if somebody removed
# that, the role on this account is enough.
resource "google_service_account_iam_member" "scheduler_acts_as_starter" {
  count = local.engines

  service_account_id = google_service_account.starter[0].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_project_service_identity.scheduler.member
}
