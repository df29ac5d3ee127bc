# Plans with mocked providers, without requests to Google Cloud. `make test` runs them if
# `terraform init` has fetched the providers.

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

run "public" {
  command = plan

  assert {
    condition     = toset(keys(google_storage_bucket_iam_member.everybody_reads)) == toset(["photos", "site", "thumbnails"])
    error_message = "With public = true, everybody must be able to read photos, thumbnails and page."
  }
  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.searchers) == ["allUsers"]
    error_message = "With public = true, everybody must be able to search."
  }
  assert {
    condition     = length(google_service_account_iam_member.search_signs) == 0
    error_message = "Public thumbnails must need no signature."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this) == 0 && length(google_billing_budget.this) == 0
    error_message = "Alerts and budget must be opt-in."
  }
  assert {
    condition     = keys(terraform_data.deliveries) == ["archived", "deleted", "finalized", "maintenance"]
    error_message = "Every subscription must wait as long as ingest may take."
  }
}

run "without_gcloud" {
  command = plan

  variables {
    run_gcloud = false
  }

  assert {
    condition     = length(terraform_data.deliveries) == 0
    error_message = "With run_gcloud = false, gcloud must not be called."
  }
}

run "private" {
  command = plan

  variables {
    public    = false
    searchers = ["user:me@example.org"]
  }

  assert {
    condition     = keys(google_storage_bucket_iam_member.everybody_reads) == ["site"]
    error_message = "With public = false, everybody may read only the page, which holds no photos."
  }
  assert {
    condition     = google_storage_bucket.photos[0].public_access_prevention == "enforced" && google_storage_bucket.thumbnails.public_access_prevention == "enforced"
    error_message = "Private photos and thumbnails must be protected from later grants too."
  }
  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.searchers) == ["user:me@example.org"]
    error_message = "Only the listed searchers may search."
  }
  assert {
    condition     = length(google_service_account_iam_member.search_signs) == 1
    error_message = "Search must be able to sign the thumbnails' URLs."
  }
}

run "nothing_for_everybody" {
  command = plan

  variables {
    public      = false
    public_page = false
    searchers   = ["domain:example.org"]
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.everybody_reads) == 0 && keys(google_cloud_run_v2_service_iam_member.searchers) == ["domain:example.org"]
    error_message = "Nothing may be granted to allUsers: an organisation that forbids it would refuse the apply."
  }
  assert {
    condition     = google_storage_bucket.site.public_access_prevention == "enforced"
    error_message = "A page that nobody may open must be protected from later grants too."
  }
}

run "photos_that_are_there" {
  command = plan

  variables {
    photos_bucket = "family-photos"
  }
  override_data {
    target = data.google_storage_bucket.photos[0]
    values = {
      name     = "family-photos"
      location = "EU"
    }
  }

  assert {
    condition     = length(google_storage_bucket.photos) == 0
    error_message = "With an existing bucket, no photos bucket may be made."
  }
  assert {
    condition     = toset(keys(google_storage_bucket_iam_member.everybody_reads)) == toset(["site", "thumbnails"])
    error_message = "The access to an existing bucket must not change."
  }
  assert {
    condition     = alltrue([for trigger in google_eventarc_trigger.photos : trigger.location == "eu"])
    error_message = "The triggers must be in the bucket's location."
  }
}

run "no_loop" {
  command = plan

  variables {
    photos_bucket = "my-project-clipsearch-index"
  }
  override_data {
    target = data.google_storage_bucket.photos[0]
    values = {
      name     = "my-project-clipsearch-index"
      location = "US-CENTRAL1"
    }
  }

  expect_failures = [google_eventarc_trigger.photos]
}

run "no_photos_where_terraform_writes" {
  command = plan

  variables {
    photos_bucket = "my-project-clipsearch-site"
  }
  override_data {
    target = data.google_storage_bucket.photos[0]
    values = {
      name     = "my-project-clipsearch-site"
      location = "US-CENTRAL1"
    }
  }

  expect_failures = [google_eventarc_trigger.photos]
}

run "no_loop_of_two_deployments" {
  command = plan

  variables {
    photos_bucket = "my-project-other-thumbnails"
  }
  override_data {
    target = data.google_storage_bucket.photos[0]
    values = {
      name     = "my-project-other-thumbnails"
      location = "US-CENTRAL1"
    }
  }

  expect_failures = [google_eventarc_trigger.photos]
}

run "alerts_and_budget" {
  command = plan

  variables {
    billing_account = "012345-6789AB-CDEF01"
    email           = "me@example.org"
  }

  assert {
    condition     = toset(keys(google_monitoring_alert_policy.this)) == toset(["ceiling", "dead_letters", "errors", "stale"])
    error_message = "An address must turn on every alert."
  }
  assert {
    condition     = length(google_billing_budget.this) == 1
    error_message = "A billing account must get a budget."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.logs) == 3 && length(google_monitoring_alert_policy.no_reconcile) == 1
    error_message = "An address must turn on the alerts on log lines."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.burn) == 0 && length(google_monitoring_alert_policy.unreachable) == 0
    error_message = "Objectives and the uptime check must be opt-in."
  }
}

run "objectives_and_uptime" {
  command = plan

  variables {
    email        = "me@example.org"
    slos         = true
    uptime_check = true
  }

  assert {
    condition     = length(google_monitoring_slo.this) == 3 && length(google_monitoring_alert_policy.burn) == 6
    error_message = "Each objective must have a fast and a slow alert."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.unreachable) == 1
    error_message = "The uptime check must have an alert."
  }
}

run "no_uptime_check_of_a_private_search" {
  command = plan

  variables {
    public       = false
    uptime_check = true
  }

  expect_failures = [var.uptime_check]
}

run "index_without_protection" {
  command = plan

  assert {
    condition     = google_storage_bucket.index.force_destroy && google_storage_bucket.index.soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "The index must be deletable by default."
  }
}

run "protected_index" {
  command = plan

  variables {
    protect_index = true
    audit_index   = true
  }

  assert {
    condition     = !google_storage_bucket.index.force_destroy && google_storage_bucket.index.soft_delete_policy[0].retention_duration_seconds == 604800
    error_message = "protect_index must keep deleted objects for a week, and refuse to destroy the index."
  }
  assert {
    condition     = length(google_project_iam_audit_config.storage) == 1
    error_message = "audit_index must turn on the audit logs."
  }
}

run "without_a_budget_nothing_stops" {
  command = plan

  assert {
    condition     = length(google_cloudfunctions2_function.stopper) == 0 && length(google_pubsub_topic.budget) == 0
    error_message = "The hard stop must be opt-in."
  }
}

run "a_budget_that_stops" {
  command = plan

  variables {
    billing_account = "012345-6789AB-CDEF01"
    stop_at_budget  = true
  }

  assert {
    condition     = length(google_cloudfunctions2_function.stopper) == 1 && length(google_billing_budget.this[0].all_updates_rule) == 1
    error_message = "Without an address for mails, the budget must still reach the stopper."
  }
  assert {
    condition     = endswith(google_cloudfunctions2_function.stopper[0].service_config[0].environment_variables["STOPPER_SERVICE"], "/services/clipsearch-search")
    error_message = "The stopper must close search."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.stopper_closes_search[0].name == "clipsearch-search"
    error_message = "The stopper may change search only, never ingest."
  }
}

run "a_stop_needs_a_budget" {
  command = plan

  variables {
    stop_at_budget = true
  }

  expect_failures = [var.stop_at_budget]
}

run "limits_reach_search" {
  command = plan

  variables {
    classify        = false
    embed           = false
    log_sample      = 0.1
    proxies         = 2
    rate_per_minute = 120
    rows            = "auto"
  }

  assert {
    condition = alltrue([
      for name, value in { CLASSIFY = "0", EMBED = "0", LOG_SAMPLE = "0.1", PROXIES = "2", RATE_PER_MINUTE = "120", ROWS = "auto" } :
      google_cloudfunctions2_function.search.service_config[0].environment_variables["CLIPSEARCH_${name}"] == value
    ])
    error_message = "Each variable must reach search as its setting."
  }
}

run "rows_are_in_one_of_two_places" {
  command = plan

  variables {
    rows = "disk"
  }

  expect_failures = [var.rows]
}

run "a_share_is_at_most_one" {
  command = plan

  variables {
    log_sample = 1.5
  }

  expect_failures = [var.log_sample]
}

run "idle_costs_little" {
  command = plan

  assert {
    condition     = abs(tonumber(output.idle_cost_usd_per_month.total) - 0.60) < 0.05
    error_message = "An idle deployment must cost about $0.60 a month, as README.md and docs/deploy.md say."
  }
}

run "places_are_kept_by_ingest_only" {
  command = plan

  variables {
    keep_places = true
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest[0].service_config[0].environment_variables["CLIPSEARCH_KEEP_PLACES"] == "1"
    error_message = "keep_places must reach ingest."
  }
  assert {
    condition     = !can(google_cloudfunctions2_function.search[0].service_config[0].environment_variables["CLIPSEARCH_KEEP_PLACES"])
    error_message = "search reads no places from files."
  }
}

run "previews_are_made" {
  command = plan

  variables {
    previews = true
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest.service_config[0].environment_variables["CLIPSEARCH_PREVIEWS"] == "1"
    error_message = "previews must reach ingest."
  }
}

run "everybody_is_not_a_searcher" {
  command = plan

  variables {
    public    = false
    searchers = ["allUsers"]
  }

  expect_failures = [var.searchers]
}

run "everybody_is_not_one_origin_among_others" {
  command = plan

  variables {
    allowed_origins = ["*", "https://example.org"]
  }

  expect_failures = [var.allowed_origins]
}

run "a_bucket_is_a_name" {
  command = plan

  variables {
    photos_bucket = "gs://family-photos"
  }

  expect_failures = [var.photos_bucket]
}

run "more_at_once_than_search_keeps" {
  command = plan

  variables {
    search = { concurrency = 65 } # functions/search/resources.py: PLACES
  }

  expect_failures = [var.search]
}

run "less_memory_than_cloud_run_gives_to_so_many_cpus" {
  command = plan

  variables {
    search = { cpu = 4, memory_gib = 1 }
  }

  expect_failures = [var.search]
}

run "image" {
  command = plan

  variables {
    runtime = "image"
    image   = "europe-west1-docker.pkg.dev/my-project/clipsearch/clipsearch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = length(google_cloudfunctions2_function.search) == 0 && length(google_cloudfunctions2_function.ingest) == 0
    error_message = "With runtime = \"image\" there must be no functions."
  }
  assert {
    condition     = google_cloud_run_v2_service.search[0].template[0].containers[0].image == var.image && google_cloud_run_v2_service.ingest[0].template[0].containers[0].image == var.image
    error_message = "Both services must run this image."
  }
  assert {
    condition     = length(google_iap_web_cloud_run_service_iam_member.searchers) == 0
    error_message = "Identity-Aware Proxy must be opt-in."
  }
}

run "iap" {
  command = plan

  variables {
    runtime   = "image"
    image     = "europe-west1-docker.pkg.dev/my-project/clipsearch/clipsearch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    iap       = true
    public    = false
    searchers = ["user:me@example.org"]
  }

  assert {
    condition     = google_cloud_run_v2_service.search[0].iap_enabled
    error_message = "iap = true must turn the proxy on."
  }
  assert {
    condition     = keys(google_iap_web_cloud_run_service_iam_member.searchers) == ["user:me@example.org"] && length(google_cloud_run_v2_service_iam_member.searchers) == 0
    error_message = "Searchers must sign in, and must not be able to call search around the proxy."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.everybody_reads) == 0
    error_message = "With iap, nothing may be public."
  }
}

run "iap_needs_an_image" {
  command = plan

  variables {
    iap       = true
    public    = false
    searchers = ["user:me@example.org"]
  }

  expect_failures = [var.iap]
}

# Last, because later runs would see its (mocked) state.
run "applied" {
  command = apply

  variables {
    run_gcloud = false
  }

  assert {
    condition     = strcontains(google_storage_bucket_object.config.content, jsonencode(output.api_url))
    error_message = "The page must call the search function of this deployment."
  }
  assert {
    condition     = strcontains(google_storage_bucket_object.index_html.content, "connect-src ${output.api_url}/;")
    error_message = "The page's policy must allow this search function only."
  }
  assert {
    condition     = !strcontains(google_storage_bucket_object.index_html.content, "127.0.0.1")
    error_message = "The page must not call the visitor's own machine."
  }
  assert {
    condition     = !strcontains(google_storage_bucket_object.index_html.content, "'self'")
    error_message = "The page's policy must name its own bucket: 'self' would be every public bucket."
  }
  assert {
    condition     = jsondecode(google_storage_bucket_object.current.content).space == output.space
    error_message = "The uploaded bundle must be current."
  }
  assert {
    condition     = length(regexall("--ack-deadline=600 --dead-letter-topic=\\S+ --max-delivery-attempts=100\n", output.delivery_commands)) == 4
    error_message = "Every subscription must wait as long as ingest may take, and keep unanswered events."
  }
}
