# engine = "lance": a job mirrors the index to a table of Lance (mirror.tf), and search reads the
# table. Both run an image with Lance. Otherwise nothing of this is made. See docs/engine.md.

variable "engine" {
  description = "\"lance\": a job mirrors the index to a table in the index bucket, and search reads that table (CLIPSEARCH_ENGINE), for libraries of more photos than one instance holds. Needs runtime = \"image\" and engine_image. Empty: search holds the index in memory, and there is no mirror."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = contains(["", "lance"], var.engine)
    error_message = "engine must be \"lance\", or be empty."
  }
  validation {
    condition     = var.engine == "" || var.runtime == "image"
    error_message = "engine = \"lance\" needs runtime = \"image\": Cloud Functions does not install the packages of an engine."
  }
}

variable "engine_image" {
  description = "With engine = \"lance\": the container image with Lance by its digest, for search and the mirror. `make image ENGINE=lance` builds one. Build it from the same checkout as `image`, which ingest runs."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9.-]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64})?$", var.engine_image))
    error_message = "engine_image must name an image by its digest: HOST/PATH@sha256: and 64 hexadecimal digits. A tag may mean another image tomorrow."
  }
  validation {
    condition     = (var.engine == "lance") == (var.engine_image != "")
    error_message = "engine_image must be set with engine = \"lance\", and only then. `make image ENGINE=lance TO=…` builds one and prints its digest."
  }
}

variable "mirror" {
  description = "With engine = \"lance\": the size of the job that mirrors the index, and the minutes from one run to the next. A run may take a minute less; indexing millions of photos needs more cores or minutes (docs/engine.md). Cloud Run bills a minute at least for each run, so twice the minutes cost nearly half as much while nothing is uploaded."
  type = object({
    cpu        = optional(number, 1)
    memory_gib = optional(number, 4)
    minutes    = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 2, 4, 8], var.mirror.cpu) && var.mirror.memory_gib >= max(2, var.mirror.cpu / 2) && var.mirror.memory_gib <= 4 * var.mirror.cpu
    error_message = "mirror needs cpu = 1, 2, 4 or 8, and memory_gib from 2 (with cpu = 8: from 4) to 4 times cpu."
  }
  validation {
    condition     = contains([10, 15, 20, 30, 60], var.mirror.minutes)
    error_message = "mirror.minutes must be 10, 15, 20, 30 or 60."
  }
}

locals {
  engines = var.engine == "" ? 0 : 1

  search_image       = var.engine == "" ? var.image : var.engine_image
  search_environment = var.engine == "" ? {} : { CLIPSEARCH_ENGINE = var.engine }
}
