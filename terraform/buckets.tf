# The buckets. Ingest is triggered by one and writes to two others: a function that writes where
# it is triggered runs for ever, at a price.

locals {
  has_photos_bucket = var.photos_bucket != ""
  photos_bucket     = local.has_photos_bucket ? data.google_storage_bucket.photos[0].name : google_storage_bucket.photos[0].name
  photos_location   = local.has_photos_bucket ? data.google_storage_bucket.photos[0].location : google_storage_bucket.photos[0].location
  # what Terraform, a build or a function writes to
  written_buckets = [for kind in ["index", "thumbnails", "site", "source"] : "${var.project}-${var.name}-${kind}"]
}

data "google_storage_bucket" "photos" {
  count = local.has_photos_bucket ? 1 : 0
  name  = var.photos_bucket
}

resource "google_storage_bucket" "photos" {
  # checkov:skip=CKV_GCP_62: access logs of every photo shown would cost more than the photos; Cloud Audit Logs say who changed what
  # checkov:skip=CKV_GCP_78: soft delete keeps what was deleted or replaced for 7 days; versions would be kept, and paid for, for ever
  count = local.has_photos_bucket ? 0 : 1

  name                        = "${var.project}-${var.name}-photos"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = var.public ? "inherited" : "enforced"
  force_destroy               = false # the photos are somebody's; soft delete stays on for 7 days

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

  depends_on = [google_project_service.apis]
}

resource "google_storage_bucket" "index" {
  # checkov:skip=CKV_GCP_62: only the two functions read it
  # checkov:skip=CKV_GCP_78: every object is written once and never changed
  name                        = "${var.project}-${var.name}-index"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # reconciling makes it again from the photos

  # Merged segments are deleted for good: otherwise each would be paid for a week longer.
  soft_delete_policy { retention_duration_seconds = 0 }
  lifecycle_rule {
    condition { age = 1 }
    action { type = "AbortIncompleteMultipartUpload" }
  }
  # Attempts that nobody took away: events live for a day.
  lifecycle_rule {
    condition {
      age            = 2
      matches_prefix = ["attempts/"]
    }
    action { type = "Delete" }
  }

  depends_on = [google_project_service.apis]
}

resource "google_storage_bucket" "thumbnails" {
  # checkov:skip=CKV_GCP_62: access logs of every photo shown would cost more than the photos; Cloud Audit Logs say who changed what
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

  depends_on = [google_project_service.apis]
}

resource "google_storage_bucket" "site" {
  # checkov:skip=CKV_GCP_62: a public page of five small files
  # checkov:skip=CKV_GCP_78: the repository has the versions
  # checkov:skip=CKV_GCP_114: the page is public where public_page was chosen, whatever the photos are; it holds nothing but the address of search
  name                        = "${var.project}-${var.name}-site"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = var.public_page ? "inherited" : "enforced"
  force_destroy               = true

  soft_delete_policy { retention_duration_seconds = 0 }
  # Only for a domain of one's own; storage.googleapis.com takes full object names.
  website { main_page_suffix = "index.html" }

  depends_on = [google_project_service.apis]
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

  depends_on = [google_project_service.apis]
}

# Everybody may read an object whose name they know; legacyObjectReader cannot list names, as
# objectViewer would. A photos bucket that was there before keeps its own rules.
resource "google_storage_bucket_iam_member" "everybody_reads" {
  # checkov:skip=CKV_GCP_28: the page where public_page was chosen, photos and thumbnails where public was; without listing
  for_each = merge(
    var.public_page ? { site = google_storage_bucket.site.name } : {},
    var.public ? { thumbnails = google_storage_bucket.thumbnails.name } : {},
    var.public && !local.has_photos_bucket ? { photos = local.photos_bucket } : {},
  )

  bucket = each.value
  role   = "roles/storage.legacyObjectReader"
  member = "allUsers"
}
