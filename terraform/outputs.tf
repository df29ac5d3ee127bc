output "api_url" {
  description = "The address of the search function."
  value       = local.search_url
}

output "dead_letters" {
  description = "The subscription that keeps what was given up for 31 days."
  value       = google_pubsub_subscription.dead_letters.id
}

output "delivery_commands" {
  description = "With run_gcloud = false, to be run after the first apply and whenever triggers were made anew: they give ingest ten minutes for an event, and keep what 100 deliveries did not help with. `terraform output -raw delivery_commands | sh`"
  value       = join("", [for command in values(local.delivery_commands) : "${command}\n"])
}

output "idle_cost_usd_per_month" {
  description = "What a month costs while nobody searches or uploads, in US dollars, before the free allowances."
  value = merge(
    { for what, cost in local.idle_costs : what => format("%.2f", cost) },
    { total = format("%.2f", sum(values(local.idle_costs))) },
  )
}

output "index_bucket" {
  description = "The bucket of the index and the models: where `make export TO=` puts a model."
  value       = "gs://${google_storage_bucket.index.name}"
}

output "page_url" {
  description = "The page. With public = false a browser cannot call search from there; docs/deploy.md says what to do."
  value       = "${local.site_url}/index.html"
}

output "photos_bucket" {
  description = "The bucket that the photos go to."
  value       = "gs://${local.photos_bucket}"
}

output "reconcile_command" {
  description = "Compares the index with the bucket now, and not only every six hours: for a bucket that had photos before."
  value       = "gcloud scheduler jobs run ${google_cloud_scheduler_job.maintenance["reconcile"].id}"
}

output "space" {
  description = "The model that is current: the first twelve digits of its digest."
  value       = local.space
}

output "thumbnails_bucket" {
  description = "The bucket of the thumbnails."
  value       = "gs://${google_storage_bucket.thumbnails.name}"
}
