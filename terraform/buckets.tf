# The buckets. One triggers ingest, and ingest writes to two others: a function that writes to the
# bucket that triggers it runs, and costs money, without end.

locals {
  has_photos_bucket = var.photos_bucket != ""
  photos_bucket     = local.has_photos_bucket ? data.google_storage_bucket.photos[0].name : google_storage_bucket.photos[0].name
  photos_location   = local.has_photos_bucket ? data.google_storage_bucket.photos[0].location : google_storage_bucket.photos[0].location
  # buckets that Terraform, a build or a function writes to
  written_buckets = [for kind in ["index", "thumbnails", "site", "source", "staging"] : "${var.project}-${var.name}-${kind}"]
}

data "google_storage_bucket" "photos" {
  count = local.has_photos_bucket ? 1 : 0
  name  = var.photos_bucket
}

resource "google_storage_bucket" "photos" {
  # checkov:skip=CKV_GCP_62: access logs of every shown photo cost more than the photos; Cloud Audit Logs record changes
  # checkov:skip=CKV_GCP_78: soft delete keeps deleted and replaced photos for 7 days; versions stay, and cost money, for ever
  count = local.has_photos_bucket ? 0 : 1

  name                        = "${var.project}-${var.name}-photos"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = var.public ? "inherited" : "enforced"
  force_destroy               = false # protects the photos; soft delete keeps them for 7 more days

  cors {
    origin          = var.allowed_origins
    method          = ["GET", "HEAD"]
    response_header = ["Content-Type"]
    max_age_seconds = 3600
  }
  lifecycle_rule {
    condition { age = 1 }
    action { type = "AbortIncompleteMultipartUpload" }
  }

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket" "index" {
  # checkov:skip=CKV_GCP_62: only the two functions read it
  # checkov:skip=CKV_GCP_78: every object is written once and never changed
  name                        = "${var.project}-${var.name}-index"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # A reconcile rebuilds it from the photos, which takes hours for a million.
  force_destroy = !var.protect_index

  # Compaction deletes merged segments. Soft delete keeps, and bills, each for another week.
  soft_delete_policy { retention_duration_seconds = var.protect_index ? 604800 : 0 }
  lifecycle_rule {
    condition { age = 1 }
    action { type = "AbortIncompleteMultipartUpload" }
  }
  # Attempts left over: events live for a day.
  lifecycle_rule {
    condition {
      age            = 2
      matches_prefix = ["attempts/"]
    }
    action { type = "Delete" }
  }

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket" "thumbnails" {
  # checkov:skip=CKV_GCP_62: access logs of every shown photo cost more than the photos; Cloud Audit Logs record changes
  # checkov:skip=CKV_GCP_78: every object is written once and never changed
  name                        = "${var.project}-${var.name}-thumbnails"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = var.public ? "inherited" : "enforced"
  force_destroy               = true

  soft_delete_policy { retention_duration_seconds = 0 }
  cors {
    origin          = var.allowed_origins
    method          = ["GET", "HEAD"]
    response_header = ["Content-Type"]
    max_age_seconds = 3600
  }
  lifecycle_rule {
    condition { age = 1 }
    action { type = "AbortIncompleteMultipartUpload" }
  }

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket" "site" {
  # checkov:skip=CKV_GCP_62: a public page of five small files
  # checkov:skip=CKV_GCP_78: the repository has the versions
  # checkov:skip=CKV_GCP_114: with public_page the page is public even if the photos are private; it holds only the URL of search
  name                        = "${var.project}-${var.name}-site"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = local.has_public_page ? "inherited" : "enforced"
  force_destroy               = true

  soft_delete_policy { retention_duration_seconds = 0 }
  # Only for a custom domain; storage.googleapis.com needs full object names.
  website { main_page_suffix = "index.html" }

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket" "source" {
  # checkov:skip=CKV_GCP_62: only builds read it
  # checkov:skip=CKV_GCP_78: the hash is in the name; the repository has the versions
  name                        = "${var.project}-${var.name}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true

  soft_delete_policy { retention_duration_seconds = 0 }
  lifecycle_rule {
    condition { age = 1 }
    action { type = "AbortIncompleteMultipartUpload" }
  }

  depends_on = [time_sleep.apis]
}

# Everybody may read an object if they know its name. Not objectViewer, which can also list names.
# An existing photos bucket keeps its own rules.
resource "google_storage_bucket_iam_member" "everybody_reads" {
  # checkov:skip=CKV_GCP_28: public_page opens the page, public opens photos and thumbnails; neither allows listing
  for_each = merge(
    local.has_public_page ? { site = google_storage_bucket.site.name } : {},
    var.public ? { thumbnails = google_storage_bucket.thumbnails.name } : {},
    var.public && !local.has_photos_bucket ? { photos = local.photos_bucket } : {},
  )

  bucket = each.value
  role   = "roles/storage.legacyObjectReader"
  member = "allUsers"
}
