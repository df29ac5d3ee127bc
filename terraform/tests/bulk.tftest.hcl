# Bulk embedding is opt-in, and its workers may do no more than they need.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "google" {
  alias = "billing"
}
mock_provider "google-beta" {}
mock_provider "time" {}

variables {
  project = "my-project"
  public  = true
}

run "no_bulk" {
  command = plan

  assert {
    condition     = length(google_service_account.bulk) == 0 && length(google_storage_bucket.staging) == 0 && length(google_project_service.bulk) == 0
    error_message = "Without bulk = true, nothing may be prepared for Dataflow."
  }
  assert {
    condition     = output.bulk_command == ""
    error_message = "Without bulk = true, there is no command."
  }
}

run "bulk" {
  command = plan

  variables {
    bulk = true
  }

  assert {
    condition     = keys(google_project_service.bulk) == ["compute.googleapis.com", "dataflow.googleapis.com"]
    error_message = "Dataflow needs its API and that of its machines."
  }
  assert {
    condition     = keys(google_storage_bucket_iam_member.bulk_reads) == ["index", "photos"]
    error_message = "Workers read photos and index."
  }
  assert {
    condition     = google_storage_bucket_iam_member.bulk_creates[0].role == "roles/storage.objectCreator" && keys(google_storage_bucket_iam_member.bulk_writes) == ["staging", "thumbnails"]
    error_message = "Workers may create objects in the index, not delete or replace them."
  }
  assert {
    condition     = google_storage_bucket.staging[0].public_access_prevention == "enforced" && google_storage_bucket.staging[0].name != google_storage_bucket.index.name
    error_message = "The staging bucket must be private and apart."
  }
}
