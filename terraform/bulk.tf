# What `clipsearch embed --runner dataflow` needs: APIs, an account for its workers, a bucket for its
# files. An apply starts nothing; `terraform output -raw bulk_command` prints the command that does.

resource "google_project_service" "bulk" {
  for_each = toset(var.bulk ? ["compute.googleapis.com", "dataflow.googleapis.com"] : [])

  service            = each.key
  disable_on_destroy = false # the project may use the API for something else
}

resource "google_service_account" "bulk" {
  count = var.bulk ? 1 : 0

  account_id   = "${var.name}-bulk"
  display_name = "${var.name}: the workers of clipsearch embed"
  depends_on   = [time_sleep.apis]
}

# Takes work from Dataflow and reports to it. It gives access to no bucket.
resource "google_project_iam_member" "bulk_works" {
  count = var.bulk ? 1 : 0

  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.bulk[0].member
}

# The workers read photos and index, and create segments and packs, but replace and delete none.
resource "google_storage_bucket_iam_member" "bulk_reads" {
  for_each = var.bulk ? { photos = local.photos_bucket, index = google_storage_bucket.index.name } : {}

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = google_service_account.bulk[0].member
}

resource "google_storage_bucket_iam_member" "bulk_creates" {
  count = var.bulk ? 1 : 0

  bucket = google_storage_bucket.index.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.bulk[0].member

  condition {
    title      = "everything but the models"
    expression = "resource.type == \"storage.googleapis.com/Object\" && !resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.index.name}/objects/models/\")"
  }
}

# They delete useless thumbnails: those of photos that were deleted meanwhile.
resource "google_storage_bucket_iam_member" "bulk_writes" {
  for_each = var.bulk ? {
    staging    = google_storage_bucket.staging[0].name
    thumbnails = google_storage_bucket.thumbnails.name
  } : {}

  bucket = each.value
  role   = "roles/storage.objectUser"
  member = google_service_account.bulk[0].member
}

resource "google_artifact_registry_repository_iam_member" "bulk_reads_image" {
  count = var.bulk ? 1 : 0

  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.bulk[0].member
}

resource "google_storage_bucket" "staging" {
  # checkov:skip=CKV_GCP_62: only Dataflow's own files of a run
  # checkov:skip=CKV_GCP_78: its objects live for a week
  count = var.bulk ? 1 : 0

  name                        = "${var.project}-${var.name}-staging"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true

  soft_delete_policy { retention_duration_seconds = 0 }
  lifecycle_rule {
    condition { age = 7 }
    action { type = "Delete" }
  }

  depends_on = [time_sleep.apis]
}
