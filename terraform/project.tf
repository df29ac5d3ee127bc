# Preparation of a fresh project: APIs, Google's service agents, and a wait for permissions.

data "google_project" "this" {
  project_id = var.project
}

locals {
  apis = concat(var.iap ? ["iap.googleapis.com"] : [], [
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
}

resource "google_project_service" "apis" {
  for_each = toset(local.apis)

  service            = each.key
  disable_on_destroy = false # the project may use the API for something else
}

# An API that was just turned on still refuses requests for a while: the first topic, bucket or log
# metric of a project would fail with a 403 that names the API.
resource "time_sleep" "apis" {
  create_duration = "60s"
  triggers        = { apis = join(" ", local.apis) } # another API: wait again

  depends_on = [google_project_service.apis]
}

# Make the agent here, then wait. Otherwise the first trigger of a project fails with "Permission
# denied while using the Eventarc Service Agent" (terraform-provider-google#25294).
resource "google_project_service_identity" "eventarc" {
  provider = google-beta
  service  = "eventarc.googleapis.com"

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_member" "eventarc_agent" {
  # checkov:skip=CKV_GCP_49: Eventarc's documentation requires this role for Google's own service agent
  project = var.project
  role    = "roles/eventarc.serviceAgent"
  member  = google_project_service_identity.eventarc.member
}

resource "google_project_service_identity" "pubsub" {
  provider = google-beta
  service  = "pubsub.googleapis.com"

  depends_on = [time_sleep.apis]
}

resource "google_project_service_identity" "scheduler" {
  provider = google-beta
  service  = "cloudscheduler.googleapis.com"

  depends_on = [time_sleep.apis]
}

# Reading this data source makes the agent if it does not exist.
data "google_storage_project_service_account" "agent" {
  depends_on = [time_sleep.apis]
}

# Cloud Storage notifies Eventarc through a topic that Eventarc makes. Its name is not known before,
# so the role is for the whole project.
resource "google_project_iam_member" "storage_agent" {
  project = var.project
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.agent.member
}

# New service accounts and roles take some minutes to work everywhere.
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
    google_storage_bucket_iam_member.ingest_adds_pointers,
    google_storage_bucket_iam_member.ingest_reads_index,
    google_storage_bucket_iam_member.ingest_writes_index,
    google_storage_bucket_iam_member.ingest_writes_thumbnails,
    google_storage_bucket_iam_member.search_reads_index,
  ]
}
