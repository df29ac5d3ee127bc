# The page, with the URL of its search function and its own content security policy.

locals {
  site_url = "https://storage.googleapis.com/${google_storage_bucket.site.name}"

  # Not 'self': all public buckets share the host storage.googleapis.com.
  policy = join("; ", [
    "default-src 'none'",
    "script-src ${local.site_url}/",
    "style-src ${local.site_url}/",
    "img-src ${local.site_url}/ blob: ${local.photos_url}/ ${local.thumbnails_url}/",
    "connect-src ${local.search_url}/ ${local.photos_url}/", # photos: for a zip
    "form-action ${local.search_url}/",
    "manifest-src ${local.site_url}/",
    "base-uri 'none'",
  ])
  policy_tag = "<meta http-equiv=\"Content-Security-Policy\" content=\"${local.policy}\">"
  form_tag   = "action=\"${local.search_url}/\""
  index_html = replace(
    replace(
      file("${path.module}/../site/index.html"),
      "/<meta http-equiv=\"Content-Security-Policy\"[^>]*>/",
      local.policy_tag,
    ),
    "\"http://127.0.0.1:8081/\"", # a form and a link, for browsers without JavaScript
    "\"${local.search_url}/\"",
  )
  config_js = <<-JS
    export const SEARCH_URL = ${jsonencode(local.search_url)};
    export const SUGGESTIONS = ${jsonencode(var.suggestions)};
    export const PHOTOS = ${jsonencode("gs://${local.photos_bucket}")};
    export const PROGRESS = null;
  JS

  site_files = setsubtract(fileset("${path.module}/../site", "*"), ["index.html", "config.js"])
  site_types = {
    css         = "text/css; charset=utf-8"
    ico         = "image/x-icon"
    js          = "text/javascript; charset=utf-8"
    png         = "image/png"
    svg         = "image/svg+xml"
    webmanifest = "application/manifest+json"
  }
}

# no-cache: a browser revalidates its copy each time. The files refer to each other by name, so a
# browser must never mix old and new ones.
resource "google_storage_bucket_object" "site" {
  for_each = local.site_files

  bucket         = google_storage_bucket.site.name
  name           = each.key
  source         = "${path.module}/../site/${each.key}"
  source_md5hash = filemd5("${path.module}/../site/${each.key}")
  content_type   = local.site_types[reverse(split(".", each.key))[0]]
  cache_control  = "no-cache"
}

resource "google_storage_bucket_object" "config" {
  bucket        = google_storage_bucket.site.name
  name          = "config.js"
  content       = local.config_js
  content_type  = local.site_types.js
  cache_control = "no-cache"
}

resource "google_storage_bucket_object" "index_html" {
  bucket        = google_storage_bucket.site.name
  name          = "index.html"
  content       = local.index_html
  content_type  = "text/html; charset=utf-8"
  cache_control = "no-cache"

  # last, so the page never refers to missing files
  depends_on = [google_storage_bucket_object.config, google_storage_bucket_object.site]

  lifecycle {
    precondition {
      condition     = strcontains(local.index_html, local.policy_tag) && strcontains(local.index_html, local.form_tag)
      error_message = "site/index.html must have a Content-Security-Policy meta tag, and a form with action=\"http://127.0.0.1:8081/\": Terraform writes the deployment's URLs there. Restore them."
    }
  }
}
