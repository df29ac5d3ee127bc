variable "allowed_origins" {
  description = "Origins whose pages may call search from a browser: CLIPSEARCH_ALLOWED_ORIGINS. The page that Terraform puts up is at https://storage.googleapis.com."
  type        = list(string)
  default     = ["https://storage.googleapis.com"]
  nullable    = false

  validation {
    condition     = can(regex("^(\\*|https?://[^/?#\\s,]+(,https?://[^/?#\\s,]+)*)$", join(",", var.allowed_origins)))
    error_message = "Each origin must be https://HOST without a path, or the only one must be *."
  }
}

variable "billing_account" {
  description = "The billing account (XXXXXX-XXXXXX-XXXXXX) that gets a budget with alerts for this project. Without one there is no budget."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6})?$", var.billing_account))
    error_message = "The billing account must look like 012345-6789AB-CDEF01, or be empty."
  }
}

variable "budget" {
  description = "What a month may cost, in whole units of the billing account's currency. Alerts go out at 50, 90 and 100 percent. A budget only warns; what limits the bill are the instance limits."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.budget >= 1 && floor(var.budget) == var.budget
    error_message = "The budget must be a whole number from 1."
  }
}

variable "bundle" {
  description = "The folder of the model's bundle (model.json and its files), as `make export` writes it. Empty: the demo model of this repository. Another folder becomes the current model at once, although its index is empty; docs/deploy.md changes the model without a gap. The one before stays in the bucket."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.bundle == "" || can(jsondecode(file("${var.bundle}/model.json")).space)
    error_message = "The bundle must be a folder with a model.json that names its space."
  }
}

variable "email" {
  description = "Who is told when something is wrong. Without an address there are no alert policies."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([^@\\s]+@[^@\\s]+)?$", var.email))
    error_message = "The address must look like someone@example.org, or be empty."
  }
}

variable "ingest" {
  description = "The ingest function's size and its ceiling. One instance works on one event at a time, so that a photo which kills it takes nothing else along."
  type = object({
    cpu           = optional(number, 1)
    memory_gib    = optional(number, 2)
    max_instances = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 2, 4], var.ingest.cpu) && var.ingest.memory_gib >= 2 && var.ingest.memory_gib <= 4 * var.ingest.cpu
    error_message = "Ingest needs 1, 2 or 4 vCPUs, at least 2 GiB, and at most 4 GiB for each vCPU."
  }
  validation {
    condition     = var.ingest.max_instances >= 1 && var.ingest.max_instances <= 100
    error_message = "Ingest must have from 1 to 100 instances at most."
  }
}

variable "name" {
  description = "What every resource's name begins with. Another name is another deployment in the same project."
  type        = string
  default     = "clipsearch"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{1,18}[a-z0-9])$", var.name))
    error_message = "The name must have 3 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "photos_bucket" {
  description = "The name of a bucket that exists and has the photos. It is not imported, moved or changed; only ingest may read it. Empty: a new bucket is made."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9._-]+[a-z0-9])?$", var.photos_bucket))
    error_message = "The bucket must be a bucket's name, without gs:// and without a folder, or be empty."
  }
}

variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "The project must be a project id of 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "public" {
  description = "true: everybody may search and see photos and thumbnails. false: only `searchers` may search, and the photos and thumbnails are private. There is no default: somebody must decide it."
  type        = bool
  nullable    = false
}

variable "public_page" {
  description = "Whether everybody may open the page, which holds nothing but the address of search. false: where an organisation forbids allUsers, or the page is put up elsewhere."
  type        = bool
  default     = true
  nullable    = false
}

variable "region" {
  description = "Where the functions and the new buckets are. With photos_bucket: choose that bucket's region."
  type        = string
  default     = "us-central1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "The region must be a single region such as us-central1."
  }
}

variable "run_gcloud" {
  description = "Whether an apply runs gcloud for what Terraform cannot set: how long ingest may take for an event, and where events go that it never answers. false: where gcloud is not there or not logged in; then run the output delivery_commands."
  type        = bool
  default     = true
  nullable    = false
}

variable "search" {
  description = "The search function's size and its ceiling. `concurrency` is the number of requests at once for one instance, most of which wait: a low number lets a few slow uploads keep all other requests out; `min_instances` above 0 costs money while nobody searches."
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
    error_message = "Search needs 1, 2 or 4 vCPUs, at least 1 GiB (2 GiB with 4 vCPUs), and at most 4 GiB for each vCPU."
  }
  validation {
    # functions/search/main.py: PLACES; the next picture is answered 503
    condition     = var.search.concurrency >= 1 && var.search.concurrency <= 64
    error_message = "search.concurrency must be from 1 to 64: an instance of search keeps 64 pictures at once, in work or in line."
  }
  validation {
    condition     = var.search.max_instances >= 1 && var.search.max_instances <= 100 && var.search.min_instances >= 0 && var.search.min_instances <= var.search.max_instances
    error_message = "Search must have from 1 to 100 instances at most, and not more at least than at most."
  }
}

variable "searchers" {
  description = "With public = false, who may call search: IAM members such as user:me@example.org, group:…, domain:example.org."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for m in var.searchers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):", m))])
    error_message = "Each searcher must be an IAM member such as user:me@example.org. For everybody there is public = true."
  }
}

variable "suggestions" {
  description = "What the page suggests to search for while nothing was asked."
  type        = list(string)
  default     = []
  nullable    = false
}
