"""Where the pipeline runs: in processes of this machine, or on Dataflow."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, execution
from apache_beam.runners.runner import PipelineState

from cli import ROOT
from cli.common.errors import RunError
from cli.embed.costs import DISK_GB, MACHINE
from cli.embed.options import Dataflow
from cli.embed.steps import NAMESPACE

LOOK_EVERY_S = 30.0

Build = Callable[[Any], None]  # adds the steps to a pipeline
Counters = Mapping[str, int]


def run_here(build: Build, workers: int, repeats: int = 0) -> Counters:
    """Run in this process, or in `workers` others. `repeats`: how often each bundle runs again.

    Raises RunError.
    """
    mode = "in_memory" if workers == 1 else "multi_processing"
    # The processes import cli and functions/, wherever this one was started.
    paths = [str(ROOT), str(ROOT / "functions"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    options = PipelineOptions([], direct_num_workers=workers, direct_running_mode=mode)
    _mend_buffers()
    pipeline = beam.Pipeline(FnApiRunner(bundle_repeat=repeats), options)
    build(pipeline)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # the error below says it
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except Exception as error:
        raise RunError(f"{_reason(error)}; the same command continues") from error
    return _counters(result, is_running=False)


def run_there(
    build: Build, workers: int, there: Dataflow, progress: Callable[[Counters], object]
) -> Counters:
    """Run on Dataflow with at most `workers` machines. Calls `progress` now and then.

    Ends only with the job: to stop it, cancel it in the console. Raises RunError.
    """
    pipeline = beam.Pipeline(options=PipelineOptions([], **dataflow_options(workers, there)))
    build(pipeline)
    result = pipeline.run()
    while not PipelineState.is_terminal(result.state):
        time.sleep(LOOK_EVERY_S)
        progress(_counters(result, is_running=True))
    if result.state != PipelineState.DONE:
        raise RunError(f"the job {result.job_id()} is {result.state}; the same command continues")
    return _counters(result, is_running=False)


def dataflow_options(workers: int, there: Dataflow) -> dict[str, Any]:
    """One process a machine, so that a machine has one encoder, which uses all cores."""
    return {
        "runner": "DataflowRunner",
        "project": there.project,
        "region": there.region,
        "job_name": f"clipsearch-embed-{int(time.time())}",
        "staging_location": f"{there.staging}/staging",
        "temp_location": f"{there.staging}/temp",
        "sdk_container_image": there.image,
        "sdk_location": "container",
        "service_account_email": there.account or None,
        "max_num_workers": workers,
        "autoscaling_algorithm": "THROUGHPUT_BASED",
        "machine_type": MACHINE,
        "disk_size_gb": DISK_GB,
        "experiments": ["use_runner_v2", "no_use_multiple_sdk_containers"],
        "number_of_worker_harness_threads": 2,
        "save_main_session": False,
    }


def check_complete(counters: Counters) -> None:
    """RunError if a record that was read was not compared: its photo may be missing."""
    read = counters.get("objects", 0) + counters.get("known", 0)
    lost = read - counters.get("compared", 0)
    if lost:
        raise RunError(f"{lost:,} of {read:,} records were not compared; start the command again")


@cache
def _mend_buffers() -> None:
    """With several processes, Beam 2.77 makes and fills a buffer from several threads unlocked.

    Two threads that make it at the same time each get their own, and the first 10 MB of one of them
    are lost: of a million photos, 130,000 were.
    """
    lock = threading.RLock()

    def locked(part: Any, name: str) -> None:
        unlocked = getattr(part, name)

        @wraps(unlocked)
        def call(*given: Any) -> Any:
            with lock:
                return unlocked(*given)

        setattr(part, name, call)

    locked(execution.BundleContextManager, "get_buffer")
    locked(execution.GroupingBuffer, "append")


def _counters(result: Any, is_running: bool) -> Counters:
    """The counters of steps.py; while the job runs, those of unfinished bundles, too."""
    found: dict[str, int] = {}
    for one in result.metrics().query()["counters"]:
        if one.key.metric.namespace == NAMESPACE:
            value = one.attempted if is_running else one.committed
            name = one.key.metric.name
            found[name] = found.get(name, 0) + int(value or 0)
    return found


def _reason(error: BaseException) -> str:
    """The last line that says something: Beam puts the traceback of its process before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
