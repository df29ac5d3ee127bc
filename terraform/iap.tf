# iap = true: Identity-Aware Proxy before page and search. A browser signs in with Google once.

variable "iap" {
  description = "true: search also serves the page, and Identity-Aware Proxy asks everybody who opens it to sign in with Google; `searchers` may, and nobody else. Needs runtime = \"image\" and public = false. Without an organisation, docs/deploy.md adds an OAuth client by hand."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.iap || var.runtime == "image"
    error_message = "iap = true needs runtime = \"image\": the Functions API cannot turn Identity-Aware Proxy on."
  }
  validation {
    condition     = !var.iap || !var.public
    error_message = "iap = true needs public = false: it lets in only those who are listed in searchers."
  }
  validation {
    condition     = !var.iap || length(var.searchers) > 0
    error_message = "iap = true needs searchers, the IAM members that may sign in."
  }
}

locals {
  page_path = "/app/site" # of the image
  # With iap the function serves the page. That of the bucket could not call it.
  has_public_page = var.public_page && !var.iap
}

resource "google_project_service_identity" "iap" {
  count    = var.iap ? 1 : 0
  provider = google-beta

  service    = "iap.googleapis.com"
  depends_on = [time_sleep.apis]
}

# Nobody but the proxy may call search. It forwards the requests of those whom it lets in.
resource "google_cloud_run_v2_service_iam_member" "iap_calls_search" {
  count = var.iap ? 1 : 0

  location = var.region
  name     = local.search_service
  role     = "roles/run.invoker"
  member   = google_project_service_identity.iap[0].member

  lifecycle {
    replace_triggered_by = [terraform_data.services["search"].output]
  }
}

resource "google_iap_web_cloud_run_service_iam_member" "searchers" {
  for_each = var.iap ? toset(var.searchers) : toset([])

  # The API wants the number; with the id the grant fails or never settles
  # (terraform-provider-google#23092).
  project                = data.google_project.this.number
  location               = var.region
  cloud_run_service_name = local.search_service
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.key

  lifecycle {
    replace_triggered_by = [terraform_data.services["search"].output]
  }

  depends_on = [time_sleep.apis]
}
