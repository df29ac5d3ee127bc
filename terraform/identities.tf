# One service account for each part, each with only the roles that it needs.

resource "google_service_account" "search" {
  account_id   = "${var.name}-search"
  display_name = "${var.name}: the search function"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "ingest" {
  account_id   = "${var.name}-ingest"
  display_name = "${var.name}: the ingest function"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "trigger" {
  account_id   = "${var.name}-trigger"
  display_name = "${var.name}: delivers events to ingest"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "build" {
  account_id   = "${var.name}-build"
  display_name = "${var.name}: builds the functions"
  depends_on   = [google_project_service.apis]
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

resource "google_service_account_iam_member" "search_signs" {
  count = var.public ? 0 : 1

  service_account_id = google_service_account.search.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.search.member
}

# --- ingest: reads the photos, writes index and thumbnails, publishes messages to itself

resource "google_storage_bucket_iam_member" "ingest_reads_photos" {
  bucket = local.photos_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.ingest.member
}

resource "google_storage_bucket_iam_member" "ingest_writes" {
  for_each = {
    index      = google_storage_bucket.index.name
    thumbnails = google_storage_bucket.thumbnails.name
  }

  bucket = each.value
  role   = "roles/storage.objectUser"
  member = google_service_account.ingest.member
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
