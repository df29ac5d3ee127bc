# One service account for each part, each with only the roles that it needs.

resource "google_service_account" "search" {
  account_id   = "${var.name}-search"
  display_name = "${var.name}: the search function"
  depends_on   = [time_sleep.apis]
}

resource "google_service_account" "ingest" {
  account_id   = "${var.name}-ingest"
  display_name = "${var.name}: the ingest function"
  depends_on   = [time_sleep.apis]
}

resource "google_service_account" "trigger" {
  account_id   = "${var.name}-trigger"
  display_name = "${var.name}: delivers events to ingest"
  depends_on   = [time_sleep.apis]
}

resource "google_service_account" "build" {
  account_id   = "${var.name}-build"
  display_name = "${var.name}: builds the functions"
  depends_on   = [time_sleep.apis]
}

locals {
  accounts = [
    google_service_account.search,
    google_service_account.ingest,
    google_service_account.trigger,
    google_service_account.build,
  ]
}

# --- search: reads the index

resource "google_storage_bucket_iam_member" "search_reads_index" {
  bucket = google_storage_bucket.index.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.search.member
}

# A signed URL has the rights of its signer, so search may read thumbnails only.
resource "google_storage_bucket_iam_member" "search_shows_thumbnails" {
  count = var.public ? 0 : 1

  bucket = google_storage_bucket.thumbnails.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.search.member
}

# roles/iam.serviceAccountTokenCreator could also make access tokens.
resource "google_project_iam_custom_role" "signer" {
  count = var.public ? 0 : 1

  role_id     = "${replace(var.name, "-", "_")}_signer"
  title       = "${var.name}: signs URLs"
  description = "Signs as a service account, and can do nothing else as it"
  permissions = ["iam.serviceAccounts.signBlob"]

  depends_on = [time_sleep.apis]
}

resource "google_service_account_iam_member" "search_signs" {
  count = var.public ? 0 : 1

  service_account_id = google_service_account.search.name
  role               = google_project_iam_custom_role.signer[0].name
  member             = google_service_account.search.member
}

# --- ingest: reads the photos, writes index and thumbnails, publishes messages to itself

resource "google_storage_bucket_iam_member" "ingest_reads_photos" {
  bucket = local.photos_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.ingest.member
}

resource "google_storage_bucket_iam_member" "ingest_writes_thumbnails" {
  bucket = google_storage_bucket.thumbnails.name
  role   = "roles/storage.objectUser"
  member = google_service_account.ingest.member
}

# The same grant under its name of before. Without this, Terraform may remove it after it was made.
moved {
  from = google_storage_bucket_iam_member.ingest_writes["thumbnails"]
  to   = google_storage_bucket_iam_member.ingest_writes_thumbnails
}

resource "google_storage_bucket_iam_member" "ingest_reads_index" {
  bucket = google_storage_bucket.index.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.ingest.member
}

# ingest decodes files of strangers. A model is code for ONNX Runtime, in search too, so ingest must
# not be able to write one. It writes the rest of the bucket: segments, commits, packs, attempts.
# A list of names is a right on the bucket, so it comes from the role without a condition above.
resource "google_storage_bucket_iam_member" "ingest_writes_index" {
  bucket = google_storage_bucket.index.name
  role   = "roles/storage.objectUser"
  member = google_service_account.ingest.member

  condition {
    title      = "everything but the models"
    expression = "resource.type == \"storage.googleapis.com/Object\" && !resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.index.name}/objects/models/\")"
  }
}

resource "google_pubsub_topic_iam_member" "ingest_publishes" {
  for_each = {
    maintenance  = google_pubsub_topic.maintenance.id
    dead_letters = google_pubsub_topic.dead_letters.id
  }

  topic  = each.value
  role   = "roles/pubsub.publisher"
  member = google_service_account.ingest.member
}

# At the end of a switch, ingest notes that the model before may go. It may add such a pointer to
# the current model, and neither change nor delete one.
resource "google_storage_bucket_iam_member" "ingest_adds_pointers" {
  bucket = google_storage_bucket.index.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.ingest.member

  condition {
    title      = "pointers to the current model"
    expression = "resource.type == \"storage.googleapis.com/Object\" && resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.index.name}/objects/models/current/\")"
  }
}

# --- trigger: receives events and calls ingest

resource "google_project_iam_member" "trigger_receives" {
  project = var.project
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.trigger.member
}

# --- build: reads the source, writes images and its log

resource "google_storage_bucket_iam_member" "build_reads_source" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# Cloud Functions first copies the source into its own bucket. Without the condition, a package
# installed in a build could read all photos.
resource "google_project_iam_member" "build_reads_upload" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title      = "source of functions only"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-\")"
  }
}

resource "google_artifact_registry_repository_iam_member" "build_writes" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_project_iam_member" "build_writes_log" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}
