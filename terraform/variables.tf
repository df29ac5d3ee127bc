variable "allowed_origins" {
  description = "The origins that may call search from a browser (CLIPSEARCH_ALLOWED_ORIGINS). The origin of the deployed page is https://storage.googleapis.com."
  type        = list(string)
  default     = ["https://storage.googleapis.com"]
  nullable    = false

  validation {
    condition     = can(regex("^(\\*|https?://[^/?#\\s,]+(,https?://[^/?#\\s,]+)*)$", join(",", var.allowed_origins)))
    error_message = "allowed_origins must be a list of origins such as https://example.org, without a path, or [\"*\"] alone."
  }
}

variable "audit_index" {
  description = "true: Cloud Audit Logs keep who wrote or deleted each object of the index. It sets the audit config of Cloud Storage for the whole project, replaces one that is there, and excludes the lines of all other buckets. About 1.5 kB a write, so $0.75 for a million uploads."
  type        = bool
  default     = false
  nullable    = false
}

variable "billing_account" {
  description = "The billing account (XXXXXX-XXXXXX-XXXXXX) that gets a budget with alerts for this project. Empty: no budget."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6})?$", var.billing_account))
    error_message = "billing_account must look like 012345-6789AB-CDEF01, or be empty. `gcloud billing accounts list` prints yours."
  }
}

variable "budget" {
  description = "The budget of a month, in whole units of the billing account's currency. Mails go out at 50, 90 and 100 percent. A budget only warns unless stop_at_budget is true; the instance limits limit the bill."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.budget >= 1 && floor(var.budget) == var.budget
    error_message = "budget must be a whole number of 1 or more."
  }
}

variable "bulk" {
  description = "true: prepare the project for clipsearch embed on Dataflow, which indexes millions of photos with many machines. It costs nothing until you run the command."
  type        = bool
  default     = false
  nullable    = false
}

variable "bundle" {
  description = "The folder of the model's bundle (model.json and its files), written by `make export`. Empty: the demo model of this repository. Another folder becomes the current model at once, although its index is empty; docs/deploy.md changes the model without a gap. The previous model stays in the bucket."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.bundle == "" || can(jsondecode(file("${var.bundle}/model.json")).space)
    error_message = "bundle must be a folder with a model.json that names its space. `make export` writes such a folder."
  }
}

variable "classify" {
  description = "false: search answers 403 to /classify (CLIPSEARCH_CLASSIFY). The page does not use it."
  type        = bool
  default     = true
  nullable    = false
}

variable "email" {
  description = "The address that gets the alerts. Empty: no alert policies."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([^@\\s]+@[^@\\s]+)?$", var.email))
    error_message = "email must look like someone@example.org, or be empty."
  }
}

variable "embed" {
  description = "false: search answers 403 to /embed (CLIPSEARCH_EMBED). The page then cannot search by a picture of the visitor."
  type        = bool
  default     = true
  nullable    = false
}

variable "fetch_urls" {
  description = "true: search fetches pictures from public http(s) URLs that a request names (CLIPSEARCH_FETCH_URLS). With public = true, everybody can then make it load up to 20 MB from any public site."
  type        = bool
  default     = false
  nullable    = false
}

variable "ingest" {
  description = "The size and the maximum of instances of the ingest function. One instance works on one event at a time, so a photo that ends the process affects no other event."
  type = object({
    cpu           = optional(number, 1)
    memory_gib    = optional(number, 2)
    max_instances = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 2, 4], var.ingest.cpu) && var.ingest.memory_gib >= 2 && var.ingest.memory_gib <= 4 * var.ingest.cpu
    error_message = "ingest needs cpu = 1, 2 or 4, and memory_gib from 2 to 4 times cpu."
  }
  validation {
    condition     = var.ingest.max_instances >= 1 && var.ingest.max_instances <= 100
    error_message = "ingest.max_instances must be from 1 to 100."
  }
}

variable "keep_places" {
  description = "true: ingest keeps the place where a photo was taken, if its file has one (CLIPSEARCH_KEEP_PLACES). Places are personal: whoever may search can then see where you live and travel. The next reconcile adds the places of indexed photos, or removes them."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_sample" {
  description = "The share of usual requests to search that get a log line, from 0 to 1 (CLIPSEARCH_LOG_SAMPLE). Errors and slow requests always get one."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = can(regex("^(0|1|0\\.[0-9]{1,9})$", tostring(var.log_sample)))
    error_message = "log_sample must be a number from 0 to 1, such as 0.1."
  }
}

variable "name" {
  description = "The prefix of every resource's name. Another prefix is another deployment in the same project."
  type        = string
  default     = "clipsearch"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{1,18}[a-z0-9])$", var.name))
    error_message = "name must have 3 to 20 lower-case letters, digits and hyphens. It must begin with a letter and not end with a hyphen."
  }
}

variable "photos_bucket" {
  description = "The name of an existing bucket with the photos. Terraform does not import, move or change it; ingest gets a role to read it. Empty: a new bucket."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9._-]+[a-z0-9])?$", var.photos_bucket))
    error_message = "photos_bucket must be the name of a bucket, without gs:// and without a folder, or be empty."
  }
}

variable "previews" {
  description = "true: ingest also makes a preview of 1600 pixels for each photo that browsers cannot show (HEIC, TIFF) or that has more than 4 MB (CLIPSEARCH_PREVIEWS). The next reconcile makes those of indexed photos. docs/benchmarks.md has the costs."
  type        = bool
  default     = false
  nullable    = false
}

variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 lower-case letters, digits and hyphens. `gcloud projects list` prints yours."
  }
}

variable "protect_index" {
  description = "true: `terraform destroy` refuses to delete an index bucket with objects, and deleted objects of the index can be restored for 7 days. Then each merged segment is billed for a week longer."
  type        = bool
  default     = false
  nullable    = false
}

variable "proxies" {
  description = "Which address of X-Forwarded-For is the client's, counted from its end (CLIPSEARCH_PROXIES): 1 for Cloud Run alone, 2 behind a load balancer. Only rate_per_minute uses it."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains(range(10), var.proxies)
    error_message = "proxies must be a whole number from 0 to 9."
  }
}

variable "public" {
  description = "true: **everybody on the internet can open the original photos, with their EXIF data: the places where they were taken, dates, cameras**; and everybody may search and see thumbnails. false: only `searchers` may search, and photos and thumbnails are private. There is no default, because you must decide."
  type        = bool
  nullable    = false
}

variable "public_page" {
  description = "true: everybody may open the page, which holds only the URL of search. false: use this if your organisation forbids allUsers, or if you host the page elsewhere."
  type        = bool
  default     = true
  nullable    = false
}

variable "rate_per_minute" {
  description = "How many requests a minute an instance of search takes from one client (CLIPSEARCH_RATE_PER_MINUTE). 0: no limit."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.rate_per_minute >= 0 && var.rate_per_minute <= 1000000 && floor(var.rate_per_minute) == var.rate_per_minute
    error_message = "rate_per_minute must be a whole number from 0 to 1,000,000."
  }
}

variable "region" {
  description = "The region of the functions and the new buckets. It is permanent: a bucket cannot move, so another region later means new buckets and another upload. With photos_bucket, use that bucket's region."
  type        = string
  default     = "us-central1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a single region such as us-central1, not a multi-region or a zone."
  }
}

variable "rows" {
  description = "Where search has the vectors of photos above 65,536 (CLIPSEARCH_ROWS). memory: in memory, about 1.4 GB for a million photos. bucket: it reads those it compares from the index bucket; then a search finds the best 1,280 photos, and costs up to 1,280 read operations. auto: memory, or bucket if they need more than 40 percent of the memory."
  type        = string
  default     = "memory"
  nullable    = false

  validation {
    condition     = contains(["memory", "bucket", "auto"], var.rows)
    error_message = "rows must be \"memory\", \"bucket\" or \"auto\"."
  }
}

variable "run_gcloud" {
  description = "true: an apply runs gcloud to set the deadline of events and the topic for unanswered ones, which Terraform cannot set. false: use this in CI, or if gcloud is not installed or not logged in, and run the output delivery_commands yourself."
  type        = bool
  default     = true
  nullable    = false
}

variable "runbooks" {
  description = "Where the alerts' mails look for the runbooks: a folder of this repository, or its URL in your fork, such as https://github.com/ME/clipsearch/blob/main/docs/runbooks."
  type        = string
  default     = "docs/runbooks"
  nullable    = false

  validation {
    condition     = can(regex("^[^\\s]*[^\\s/]$", var.runbooks))
    error_message = "runbooks must be a folder or a URL without a slash at the end."
  }
}

variable "search" {
  description = "The size and the maximum of instances of the search function. `concurrency` is the number of requests at once for one instance. With a low number, a few slow uploads block all other requests. `min_instances` above 0 costs money while nobody searches."
  type = object({
    cpu           = optional(number, 2)
    memory_gib    = optional(number, 2)
    concurrency   = optional(number, 64)
    min_instances = optional(number, 0)
    max_instances = optional(number, 4)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 2, 4], var.search.cpu) && var.search.memory_gib >= max(1, var.search.cpu / 2) && var.search.memory_gib <= 4 * var.search.cpu
    error_message = "search needs cpu = 1, 2 or 4, and memory_gib from 1 (with cpu = 4: from 2) to 4 times cpu."
  }
  validation {
    # PLACES in functions/search/resources.py; one picture more is answered 503
    condition     = var.search.concurrency >= 1 && var.search.concurrency <= 64
    error_message = "search.concurrency must be from 1 to 64: an instance holds at most 64 pictures at once, in work or waiting."
  }
  validation {
    condition     = var.search.max_instances >= 1 && var.search.max_instances <= 100 && var.search.min_instances >= 0 && var.search.min_instances <= var.search.max_instances
    error_message = "search.max_instances must be from 1 to 100, and search.min_instances from 0 to max_instances."
  }
}

variable "searchers" {
  description = "With public = false, the IAM members that may call search, such as user:me@example.org, group:family@example.org or domain:example.org."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for m in var.searchers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):", m))])
    error_message = "searchers must be IAM members such as user:me@example.org. To let everybody search, set public = true."
  }
}

variable "slos" {
  description = "true: objectives (SLOs) for availability, latency and freshness. With email, two alerts for each when its error budget burns too fast: 12 conditions, which Google charges."
  type        = bool
  default     = false
  nullable    = false
}

variable "stop_at_budget" {
  description = "true: when the budget is used up, nobody may call search any more, until you apply again. Google's figures come hours late. Needs billing_account."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.stop_at_budget || var.billing_account != ""
    error_message = "stop_at_budget needs billing_account: only a budget can stop search."
  }
}

variable "suggestions" {
  description = "Searches that the page suggests at the start."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "uptime_check" {
  description = "true: Google asks /health every 15 minutes from three continents. Each question may start an instance: about $0.46 a month. Needs public = true."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.uptime_check || var.public
    error_message = "uptime_check needs public = true: the check cannot sign its requests."
  }
}
