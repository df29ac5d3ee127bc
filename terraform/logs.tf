# Cloud Run writes a line for each request, too. For an answered request it says what the line of the
# function says, and costs as much, so it is not kept. Refusals, errors and Cloud Run's own 429 stay,
# with the address of who asked.

resource "google_logging_project_exclusion" "requests" {
  name        = "${var.name}-requests"
  description = "Answered requests: the functions of ${var.name} write a line of their own"
  filter = join(" ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=(\"${local.search_name}\" OR \"${local.ingest_name}\")",
    "log_id(\"run.googleapis.com/requests\")",
    "httpRequest.status<400",
  ])

  depends_on = [time_sleep.apis]
}
