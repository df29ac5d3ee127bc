# The model: the files of a bundle, write-once, and a numbered pointer that makes it current.
# functions/clipsearch/model/bundle.py has the layout.

variable "pinned_models" {
  description = "null: search and ingest use the model that is current in the index bucket, whoever put it there. A list: only the model of `bundle`, and those whose model.json has one of these SHA-256 digests (CLIPSEARCH_MODEL_SHA256). Add the digest of a new model before you switch to it."
  type        = list(string)
  default     = null

  validation {
    condition     = var.pinned_models == null ? true : alltrue([for digest in var.pinned_models : can(regex("^[0-9a-f]{64}$", digest))])
    error_message = "pinned_models must be SHA-256 digests of 64 hexadecimal digits, as `make export` prints them, or null."
  }
}

locals {
  bundle   = var.bundle != "" ? var.bundle : "${path.module}/../model_export/demo/bundle"
  manifest = jsondecode(file("${local.bundle}/model.json"))
  space    = local.manifest.space

  # model.json has the SHA-256 of each file, so its own stands for the whole bundle
  bundle_sha256  = filesha256("${local.bundle}/model.json")
  allowed_models = var.pinned_models == null ? [] : distinct(concat([local.bundle_sha256], var.pinned_models))
}

# ABANDON, here and below: another bundle must not delete the one that searches are using, and
# which somebody may want back. They go with the bucket.
resource "google_storage_bucket_object" "bundle" {
  for_each = local.manifest.files

  bucket          = google_storage_bucket.index.name
  name            = "models/${local.space}/${each.key}"
  source          = "${local.bundle}/${each.key}"
  content_type    = endswith(each.key, ".json") ? "application/json" : "application/octet-stream"
  deletion_policy = "ABANDON"

  timeouts {
    create = "60m" # the weights of a large model over a slow line
    update = "60m"
  }

  lifecycle {
    precondition {
      condition     = filesha256("${local.bundle}/${each.key}") == each.value.sha256
      error_message = "${each.key} in ${local.bundle} is not the file that model.json names: its SHA-256 differs."
    }
  }
}

# Last of the bundle: a bundle without it does not exist.
resource "google_storage_bucket_object" "manifest" {
  bucket          = google_storage_bucket.index.name
  name            = "models/${local.space}/model.json"
  source          = "${local.bundle}/model.json"
  content_type    = "application/json"
  deletion_policy = "ABANDON"

  depends_on = [google_storage_bucket_object.bundle]
}

# The greatest number counts. The time in seconds is greater than any that was there before,
# also than those of `make export TO=gs://…`, which takes the next number.
resource "time_static" "current" {
  triggers = { space = local.space }
}

resource "google_storage_bucket_object" "current" {
  bucket          = google_storage_bucket.index.name
  name            = format("models/current/%012d.json", time_static.current.unix)
  content         = jsonencode({ space = local.space, created = time_static.current.rfc3339 })
  content_type    = "application/json"
  deletion_policy = "ABANDON"

  depends_on = [google_storage_bucket_object.manifest]
}
