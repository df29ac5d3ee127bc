# Costs of an idle month, before free allowances. Prices of us-central1; docs/deploy.md has their
# sources and the costs in use.

locals {
  price = {
    storage_gib_month  = 0.020
    class_a            = 0.005 / 1000
    class_b            = 0.0004 / 1000
    cpu_second         = 0.000024
    memory_gib_second  = 0.0000025
    idle_second        = 0.0000025 # of a vCPU, and of a GiB, of an idle instance (min_instances)
    image_gib_month    = 0.10      # Artifact Registry
    scheduler_job      = 0.10
    requests           = 0.40 / 1000000
    seconds_of_a_month = 2628000
  }

  bundle_gib       = sum([for file in values(local.manifest.files) : file.bytes]) / pow(1024, 3)
  maintenance_runs = 30.4 * (24 / 3 + 24 / 6)

  idle_costs = {
    # the image of a function has about 0.3 GiB; three are kept of each
    images = 2 * 3 * 0.3 * local.price.image_gib_month
    # the bundle, and a margin for index and archive
    storage   = (local.bundle_gib + 0.1) * local.price.storage_gib_month
    scheduler = length(local.schedules) * local.price.scheduler_job
    # each run starts an instance and works about 10 s, with about 50 listings and reads
    maintenance = local.maintenance_runs * (
      10 * (var.ingest.cpu * local.price.cpu_second + var.ingest.memory_gib * local.price.memory_gib_second)
      + 50 * local.price.class_a + local.price.requests
    )
    min_instances = var.search.min_instances * local.price.seconds_of_a_month * local.price.idle_second * (var.search.cpu + var.search.memory_gib)
  }
}
