# What a fresh project lacks: the APIs, Google's own service agents, and time.

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "apis" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "eventarc.googleapis.com",
    "eventarcpublishing.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "storage.googleapis.com",
  ])

  service            = each.key
  disable_on_destroy = false # the project may use it for something else
}

# Making it here, and waiting: otherwise the first trigger of a project fails with "Permission
# denied while using the Eventarc Service Agent" (terraform-provider-google#25294).
resource "google_project_service_identity" "eventarc" {
  provider = google-beta
  service  = "eventarc.googleapis.com"

  depends_on = [google_project_service.apis]
}

resource "google_project_iam_member" "eventarc_agent" {
  # checkov:skip=CKV_GCP_49: it is the role of Google's own service agent, as Eventarc's documentation asks for
  project = var.project
  role    = "roles/eventarc.serviceAgent"
  member  = google_project_service_identity.eventarc.member
}

resource "google_project_service_identity" "pubsub" {
  provider = google-beta
  service  = "pubsub.googleapis.com"

  depends_on = [google_project_service.apis]
}

resource "google_project_service_identity" "scheduler" {
  provider = google-beta
  service  = "cloudscheduler.googleapis.com"

  depends_on = [google_project_service.apis]
}

# Reading it makes the agent, if it is not there yet.
data "google_storage_project_service_account" "agent" {
  depends_on = [google_project_service.apis]
}

# Cloud Storage tells Eventarc about photos over a topic of Eventarc's own, whose name is not
# known before: so for the whole project.
resource "google_project_iam_member" "storage_agent" {
  project = var.project
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.agent.member
}

# Service accounts and roles work everywhere only some minutes after they were made.
resource "time_sleep" "settled" {
  create_duration = "120s"
  triggers = {
    accounts = join(" ", [for account in local.accounts : account.email])
  }

  depends_on = [
    google_project_iam_member.build_reads_upload,
    google_project_iam_member.build_writes_log,
    google_artifact_registry_repository_iam_member.build_writes,
    google_project_iam_member.eventarc_agent,
    google_project_iam_member.storage_agent,
    google_project_iam_member.trigger_receives,
    google_storage_bucket_iam_member.build_reads_source,
    google_storage_bucket_iam_member.ingest_reads_photos,
    google_storage_bucket_iam_member.ingest_writes,
    google_storage_bucket_iam_member.search_reads_index,
  ]
}
