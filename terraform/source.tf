# functions/ as one archive, with its hash in its name: only a new name builds the functions again.

data "archive_file" "functions" {
  type             = "zip"
  source_dir       = "${path.module}/../functions"
  output_path      = "${path.module}/.build/functions.zip"
  output_file_mode = "0644" # the same hash on every machine
  # Leftovers of tools, and the input of `make lock`. Not "**/.*": that also matches the folder
  # itself and excludes everything.
  excludes = ["**/__pycache__", "**/.?*", "**/requirements.in"]
}

resource "google_storage_bucket_object" "functions" {
  bucket       = google_storage_bucket.source.name
  name         = "functions-${data.archive_file.functions.output_sha256}.zip"
  source       = data.archive_file.functions.output_path
  content_type = "application/zip"
}

# Each deployment leaves an image behind. Without cleanup, all of them are billed for ever.
resource "google_artifact_registry_repository" "images" {
  # checkov:skip=CKV_GCP_84: images of public source, with Google-managed keys; a customer-managed key is billed by the month
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the functions of ${var.name}"

  cleanup_policies {
    id     = "keep-three"
    action = "KEEP"
    most_recent_versions { keep_count = 3 }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition { older_than = "2592000s" } # 30 days
  }

  depends_on = [time_sleep.apis]
}
