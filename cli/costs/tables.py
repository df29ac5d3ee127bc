"""The arithmetic of the costs: each table is a list of lines, each line an amount at a price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cli.costs import assumptions as a
from cli.costs.prices import usd
from cli.costs.rows import search_of


@dataclass(frozen=True, slots=True)
class Line:
    what: str
    amount: float
    unit: str
    usd: float
    limited_by: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    title: str
    lines: tuple[Line, ...]

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)


@dataclass(frozen=True, slots=True)
class Library:
    photos: int
    searches: int  # a month
    megabytes: float  # of a photo
    log_sample: float = 1.0
    rows: str = "memory"  # of rows.ROWS


def tables(library: Library) -> list[Table]:
    """Raises UsageError if `search` cannot hold so many photos."""
    made: tuple[Callable[[Library], Table], ...] = (indexing, idle_month, searches, busy_day)
    return [make(library) for make in made]


def indexing(library: Library) -> Table:
    """Uploading and indexing all photos, once."""
    n = library.photos
    lines: tuple[Line, ...] = (
        _line("uploads", n, "writes", "class_a"),
        _line("computing", n * a.INDEX_S, "s", _second(a.INGEST_CPU, a.INGEST_GIB)),
        _line("events", n, "requests", "request"),
        _line("segments and thumbnails", n * a.INDEX_WRITES, "writes", "class_a"),
        _line("photos and models", n * a.INDEX_READS, "reads", "class_b"),
        _logs(n),
    )
    if library.rows == "lance":
        lines += (
            _line("segments for the table", n, "reads", "class_b"),
            _line("copying to the table", n * a.LANCE_COPY_S, "s", _job_second()),
        )
    return Table("indexing", f"Once: index {n:,} photos", lines)


def idle_month(library: Library) -> Table:
    """A month in which nobody searches or uploads."""
    n = library.photos
    ingest = _second(a.INGEST_CPU, a.INGEST_GIB)
    images = a.FUNCTIONS * a.IMAGES_KEPT * a.IMAGE_GIB
    run = a.MAINTENANCE_S * ingest + a.MAINTENANCE_LISTINGS * usd("class_a") + usd("request")
    longer = n * a.COMPARISON_S_PER_PHOTO * ingest + n / 1000 * usd("class_a")
    lines: tuple[Line, ...] = (
        _line("images of the functions", images, "GiB", "image_gib_month"),
        _line("scheduled maintenance", a.SCHEDULED_JOBS, "jobs", "scheduler_job"),
        Line("runs of it", a.MAINTENANCE_RUNS, "runs", a.MAINTENANCE_RUNS * run),
        Line("comparing many photos", a.COMPARISONS, "times", a.COMPARISONS * longer),
        _line("photos", n * library.megabytes * 1e6 / a.GIB, "GiB", "storage_gib_month"),
        _line(
            "thumbnails and index",
            n * (a.THUMBNAIL_BYTES + a.INDEX_BYTES) / a.GIB,
            "GiB",
            "storage_gib_month",
        ),
    )
    if library.rows == "lance":
        table, images = n * a.LANCE_TABLE_BYTES / a.GIB, a.IMAGES_KEPT * a.LANCE_IMAGE_GIB
        run = a.MIRROR_S * _job_second()
        run += a.MIRROR_LISTINGS * usd("class_a") + a.MIRROR_READS * usd("class_b")
        lines += (
            _line("table of Lance", table, "GiB", "storage_gib_month"),
            _line("image with Lance", images, "GiB", "image_gib_month"),
            _line("schedule of the mirror", 1, "jobs", "scheduler_job"),
            Line("runs of the mirror", a.MIRROR_RUNS, "runs", a.MIRROR_RUNS * run),
        )
    return Table("idle_month", f"Each month: keep {n:,} photos", lines)


def searches(library: Library) -> Table:
    """The searches of a month, by people with the page: in visits, and with pauses between."""
    n, it = library.searches, search_of(library.photos, library.rows)
    visits = -(-n // a.SEARCHES_OF_A_VISIT)
    others = visits * a.REQUESTS_OF_A_PAGE
    requests = n + others
    seconds = visits * it.cold_s + (n - visits) * it.search_s + others * a.WARM_S
    listings = n * (1 + it.listings) + visits * a.COLD_LISTINGS
    vectors = (_line("vectors", n * it.reads, "reads", "class_b"),) if it.reads else ()
    lines = (
        _line("computing", seconds, "s", _second(it.cpu, it.gib)),
        _line("requests", requests, "requests", "request"),
        _line("looking for new photos", listings, "listings", "class_a"),
        _line("model and index", visits * a.COLD_READS, "reads", "class_b"),
        *vectors,
        _line("answers", n * a.ANSWER_BYTES / a.GIB, "GiB", "download_gib"),
        _line("reading thumbnails", n * a.RESULTS, "reads", "class_b"),
        _line("thumbnails", n * a.RESULTS * a.THUMBNAIL_BYTES / a.GIB, "GiB", "download_gib"),
        _logs(requests * library.log_sample),
    )
    return Table("searches", f"Each month: {n:,} searches", lines)


def busy_day(library: Library) -> Table:
    """A day in which somebody keeps all instances busy: the ceiling."""
    it = search_of(library.photos, library.rows)
    search_s, ingest_s = a.SEARCH_INSTANCES * a.DAY_S, a.INGEST_INSTANCES * a.DAY_S
    asked, photos = search_s * it.cpu / it.cpu_s, ingest_s / a.INDEX_S
    rate, instances = "rate_per_minute", "search.max_instances"
    listings = search_s / 60 * a.LISTINGS_PER_MINUTE + asked * it.listings
    reads = asked * it.most_reads
    vectors = (_line("its vectors", reads, "reads", "class_b", rate),) if reads else ()
    lines = (
        _line("search", search_s, "s", _second(it.cpu, it.gib), instances),
        _line("its requests", asked, "requests", "request", rate),
        _line("its answers", asked * a.ANSWER_BYTES / a.GIB, "GiB", "download_gib", rate),
        _logs(asked * library.log_sample, "log_sample"),
        _line("its listings", listings, "listings", "class_a", instances),
        _line("its reads", search_s / 60 * a.READS_PER_MINUTE, "reads", "class_b", instances),
        *vectors,
        _line(
            "ingest",
            ingest_s,
            "s",
            _second(a.INGEST_CPU, a.INGEST_GIB),
            "ingest.max_instances",
        ),
        _line("its events", photos, "requests", "request", "ingest.max_instances"),
        _line("its writes", photos * a.INDEX_WRITES, "writes", "class_a", "ingest.max_instances"),
        _line("its reads", photos * a.INDEX_READS, "reads", "class_b", "ingest.max_instances"),
        _logs(photos, "ingest.max_instances"),
    )
    return Table("busy_day", "The ceiling: a day with every instance busy", lines)


def largest_answers_of_a_day() -> float:
    """Dollars, if somebody does that with the largest answers."""
    asked = a.SEARCH_INSTANCES * a.DAY_S * a.SEARCHES_PER_S
    return asked * a.LARGEST_ANSWER_BYTES / a.GIB * usd("download_gib")


def thumbnails_of_an_answer() -> float:
    """Dollars, for one answer whose thumbnails a browser loads."""
    each = a.THUMBNAIL_BYTES / a.GIB * usd("download_gib") + usd("class_b")
    return a.RESULTS * each


def _second(cpu: float, gib: float) -> float:
    """Dollars, for a second of an instance."""
    return cpu * usd("cpu_second") + gib * usd("memory_gib_second")


def _job_second() -> float:
    """Dollars, for a second of the job that runs the mirror."""
    return a.MIRROR_CPU * usd("job_cpu_second") + a.MIRROR_GIB * usd("job_memory_gib_second")


def _line(what: str, amount: float, unit: str, price: str | float, limited_by: str = "") -> Line:
    """`price`: the name of a price, or dollars a unit."""
    each = usd(price) if isinstance(price, str) else price
    return Line(what, amount, unit, amount * each, limited_by)


def _logs(lines: float, limited_by: str = "") -> Line:
    return _line("log lines", lines * a.LOG_LINE_BYTES / a.GIB, "GiB", "log_gib", limited_by)
