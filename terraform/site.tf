# The page, with the address of its search function and a content security policy of its own.

locals {
  site_url   = "https://storage.googleapis.com/${google_storage_bucket.site.name}"
  search_url = google_cloudfunctions2_function.search.service_config[0].uri

  # 'self' would be every bucket on earth: they share the host storage.googleapis.com.
  policy = join("; ", [
    "default-src 'none'",
    "script-src ${local.site_url}/",
    "style-src ${local.site_url}/",
    "img-src ${local.site_url}/ blob: ${local.photos_url}/ ${local.thumbnails_url}/",
    "connect-src ${local.search_url}/",
    "form-action ${local.search_url}/",
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
    "action=\"http://127.0.0.1:8081/\"", # for browsers without JavaScript
    local.form_tag,
  )
  config_js = <<-JS
    export const SEARCH_URL = ${jsonencode(local.search_url)};
    export const SUGGESTIONS = ${jsonencode(var.suggestions)};
  JS

  site_files = setsubtract(fileset("${path.module}/../site", "*"), ["index.html", "config.js"])
  site_types = {
    css = "text/css; charset=utf-8"
    ico = "image/x-icon"
    js  = "text/javascript; charset=utf-8"
    png = "image/png"
    svg = "image/svg+xml"
  }
}

# no-cache: a browser asks whether its copy is still right. The files are small and refer to each
# other by name, so that old and new ones must never be mixed.
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

  # last, so that the page never meets files that are not there yet
  depends_on = [google_storage_bucket_object.config, google_storage_bucket_object.site]

  lifecycle {
    precondition {
      condition     = strcontains(local.index_html, local.policy_tag) && strcontains(local.index_html, local.form_tag)
      error_message = "site/index.html has no content security policy, or no form, to give an address to."
    }
  }
}
