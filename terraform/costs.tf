# Costs of an idle month, before free allowances. `clipsearch costs` computes the costs in use from
# the same list prices of us-central1; docs/costs.md explains them.

locals {
  prices = jsondecode(file("${path.module}/../cli/costs/prices.json"))
  price  = { for name, price in local.prices : name => price.usd }

  seconds_of_a_month = 2628000

  bundle_gib       = sum([for file in values(local.manifest.files) : file.bytes]) / pow(1024, 3)
  maintenance_runs = 30.4 * (24 / 3 + 24 / 6)
  mirror_runs      = local.engines * 30.4 * 24 * 60 / var.mirror.minutes

  idle_costs = {
    # the image of a function has about 0.3 GiB; three are kept of each
    images = ((2 + local.stops) * 3 * 0.3 + local.engines * 3 * 0.3) * local.price.image_gib_month
    # the bundle, and a margin for index and archive
    storage   = (local.bundle_gib + 0.1) * local.price.storage_gib_month
    scheduler = (length(local.schedules) + local.engines) * local.price.scheduler_job
    # each run starts an instance and works about 10 s, with about 50 listings and reads
    maintenance = local.maintenance_runs * (
      10 * (var.ingest.cpu * local.price.cpu_second + var.ingest.memory_gib * local.price.memory_gib_second)
      + 50 * local.price.class_a + local.price.request
    )
    # each run is billed a minute at least, and makes 18 listings and 40 reads
    mirror = local.mirror_runs * (
      60 * (var.mirror.cpu * local.price.job_cpu_second + var.mirror.memory_gib * local.price.job_memory_gib_second)
      + 18 * local.price.class_a + 40 * local.price.class_b
    )
    min_instances = var.search.min_instances * local.seconds_of_a_month * local.price.idle_second * (var.search.cpu + var.search.memory_gib)
  }
}
