# Who wrote or deleted objects of the index. Google sets audit logs for the Cloud Storage of a whole
# project only, so the lines of other buckets are excluded.

resource "google_project_iam_audit_config" "storage" {
  count = var.audit_index ? 1 : 0

  project = var.project
  service = "storage.googleapis.com"

  audit_log_config { log_type = "DATA_WRITE" }
}

resource "google_logging_project_exclusion" "other_buckets" {
  count = var.audit_index ? 1 : 0

  name        = "${var.name}-other-buckets"
  description = "Writes to buckets other than the index of ${var.name}"
  filter = join(" ", [
    "log_id(\"cloudaudit.googleapis.com/data_access\")",
    "protoPayload.serviceName=\"storage.googleapis.com\"",
    "protoPayload.methodName=(\"storage.objects.create\" OR \"storage.objects.delete\" OR \"storage.objects.update\")",
    "resource.labels.bucket_name!=\"${google_storage_bucket.index.name}\"",
  ])
}
