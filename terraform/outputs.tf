output "api_url" {
  description = "The URL of the search function."
  value       = local.search_url
}

output "bulk_command" {
  description = "With bulk = true, the command that indexes all photos with at most 50 machines. Add --plan to see its cost first. docs/bulk.md builds IMAGE."
  value = var.bulk ? join(" ", [
    "clipsearch embed --runner dataflow --workers 50",
    "--photos gs://${local.photos_bucket}",
    "--index gs://${google_storage_bucket.index.name}",
    "--thumbnails gs://${google_storage_bucket.thumbnails.name}",
    "--project ${var.project} --region ${var.region}",
    "--staging gs://${google_storage_bucket.staging[0].name}",
    "--account ${google_service_account.bulk[0].email}",
    "--image IMAGE",
  ]) : ""
}

output "dead_letters" {
  description = "The subscription that keeps events that were given up, for 31 days."
  value       = google_pubsub_subscription.dead_letters.id
}

output "delivery_commands" {
  description = "With run_gcloud = false, run these commands after the first apply, and after each apply that makes new triggers. They give ingest ten minutes for an event, and keep events that fail 100 times. `terraform output -raw delivery_commands | sh`"
  value       = join("", [for command in values(local.delivery_commands) : "${command}\n"])
}

output "idle_cost_usd_per_month" {
  description = "The costs of an idle month in US dollars, before the free allowances."
  value = merge(
    { for what, cost in local.idle_costs : what => format("%.2f", cost) },
    { total = format("%.2f", sum(values(local.idle_costs))) },
  )
}

output "index_bucket" {
  description = "The bucket of the index and the models, for `make export TO=`."
  value       = "gs://${google_storage_bucket.index.name}"
}

output "mirror_command" {
  description = "With engine = \"lance\", the command that brings the mirror up to date now, and waits for it."
  value       = var.engine == "" ? "" : "gcloud run jobs execute ${local.mirror_name} --project=${var.project} --region=${var.region} --wait"
}

output "model_sha256" {
  description = "The digest of the model that Terraform uploaded, for pinned_models and CLIPSEARCH_MODEL_SHA256."
  value       = local.bundle_sha256
}

output "page_url" {
  description = "The URL of the page. With public = false and without iap it cannot call search; docs/deploy.md has the alternatives."
  value       = var.iap ? "${local.search_url}/page/" : "${local.site_url}/index.html"
}

output "photos_bucket" {
  description = "The bucket for photos."
  value       = "gs://${local.photos_bucket}"
}

output "reconcile_command" {
  description = "The command that compares the index with the bucket now instead of within six hours. Use it for a bucket that had photos before."
  value       = "gcloud scheduler jobs run ${google_cloud_scheduler_job.maintenance["reconcile"].id}"
}

output "space" {
  description = "The model that Terraform uploaded: the first twelve digits of its digest."
  value       = local.space
}

output "thumbnails_bucket" {
  description = "The bucket of the thumbnails."
  value       = "gs://${google_storage_bucket.thumbnails.name}"
}
