"""What the costs assume. Tests compare each figure that the code can tell with the code."""

from __future__ import annotations

GIB = 2**30
DAY_S = 86_400
MONTH_S = 2_628_000  # a twelfth of a year
MONTH_DAYS = 30.4

# --- the deployment: defaults of Terraform's variables `search` and `ingest`

SEARCH_CPU, SEARCH_GIB, SEARCH_INSTANCES = 2, 2, 4
INGEST_CPU, INGEST_GIB, INGEST_INSTANCES = 1, 2, 10
# GiB of the image of a function, and how many of each function are kept.
IMAGE_GIB, IMAGES_KEPT, FUNCTIONS = 0.3, 3, 2
SCHEDULED_JOBS = 2
# A compaction every three hours, a comparison with the bucket every six.
COMPARISONS = MONTH_DAYS * 24 / 6
MAINTENANCE_RUNS = MONTH_DAYS * 24 / 3 + COMPARISONS
MAINTENANCE_S, MAINTENANCE_LISTINGS = 10, 50
# A comparison of a million photos takes so much longer (docs/benchmarks.md, with room).
COMPARISON_S_PER_PHOTO = 50 / 1e6

# --- a photo, indexed (ViT-B/32; docs/benchmarks.md, with room)

INDEX_S = 0.5
INDEX_WRITES, INDEX_READS = 2, 3  # segment and thumbnail; photo, its generation again, model
THUMBNAIL_BYTES = 24_000
INDEX_BYTES = 3_500  # a vector of 512 float32, and its compressed form

# --- a search

RESULTS = 24
ANSWER_BYTES = 3_000  # of 24 results: 2.4 kB of JSON with gzip, and headers
LARGEST_ANSWER_BYTES = 50_000  # 100 results without gzip
WARM_S = 0.1  # the smallest unit that is billed
COLD_S = 3.0  # after a pause
COLD_S_PER_PHOTO = 7 / 1e6  # the index is read: 10 s with a million photos
COLD_LISTINGS, COLD_READS = 3, 20
# A person searches ten times, then pauses. The page asks for newest photos, status, the
# text tower and, with a menu of filters, counts.
SEARCHES_OF_A_VISIT = 10
REQUESTS_OF_A_PAGE = 4

# --- where `search` has the vectors: its memory, seconds and reads (docs/scale.md)

# (vCPU, GiB) of an instance, the smallest first: what Terraform's variable `search` allows.
SEARCH_SIZES = ((2, 2), (2, 4), (2, 8), (4, 16))
PROCESS_BYTES = 1e9  # both models, pictures in work and what is kept, with room
MEMORY_BYTES, BUCKET_BYTES = 1_400, 450  # of a photo
# Smaller libraries have no packs, so all their vectors are in memory.
LEAST_IN_PACKS = 65_536
BUCKET_READS, MOST_BUCKET_READS = 900, 1_280
BUCKET_S, MOST_BUCKET_CPU_S = 0.5, 0.6
LANCE_CACHE_GIB = 2
LANCE_READS, LANCE_LISTINGS = 540, 1  # with nothing in memory
LANCE_S, LANCE_OPEN_S = 0.5, 3.0  # without the time to transfer; opening once in a process
LANCE_BYTES_PER_S = 150e6  # a guess
LANCE_CPU_S_PER_BYTE = 0.036 / 50e6
# A search reads 88 of sqrt(photos) / 2 partitions, with 136 bytes for each photo in them.
LANCE_READ_BYTES_PER_ROOT = 88 * 2 * 136
# 512 float16 twice, the index, name and facts; versions of the last twelve hours, with room.
LANCE_TABLE_BYTES = 2_800
LANCE_COPY_S = 100e-6  # CPU of a photo that is copied and indexed
# The job that runs the mirror: defaults of Terraform's variable `mirror`.
MIRROR_CPU, MIRROR_GIB, MIRROR_MINUTES = 1, 4, 10
MIRROR_RUNS = MONTH_DAYS * 24 * 60 / MIRROR_MINUTES
MIRROR_S = 60  # a run without news takes seconds; Cloud Run bills a minute at least (not checked)
MIRROR_LISTINGS, MIRROR_READS = 18, 40  # of such a run, counted with doubles of Cloud Storage
LANCE_IMAGE_GIB = 0.3

# --- a busy day

SEARCHES_PER_S = 2 * 134  # texts, of an instance with two cores: the most ever measured
LISTINGS_PER_MINUTE, READS_PER_MINUTE = 42, 3  # of an instance that is never idle
LOG_LINE_BYTES = 1_000  # as Cloud Logging counts it, with its own fields
