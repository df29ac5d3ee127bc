"""What the local runner of Beam must not do: lose what two threads put into a new buffer."""

import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from apache_beam.runners.portability.fn_api_runner import execution

from cli.common.errors import RunError
from cli.embed import runners
from cli.embed.costs import MACHINE
from cli.embed.options import Dataflow
from cli.embed.runners import check_complete, dataflow_options


def test_two_threads_get_the_same_new_buffer():
    runners._mend_buffers()
    both = threading.Barrier(2, timeout=1)

    def coder(transform):
        with suppress(threading.BrokenBarrierError):
            both.wait()  # both threads are here, unless one waits for the other

    buffers = {}
    context = SimpleNamespace(
        execution_context=SimpleNamespace(pcoll_buffers=buffers), get_input_coder_impl=coder
    )
    found = []

    def get():
        buffer = execution.BundleContextManager.get_buffer(context, b"materialize:x", "t")
        found.append(buffer)

    threads = [threading.Thread(target=get) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1]


def test_lost_records_are_an_error():
    check_complete({"objects": 5, "known": 2, "compared": 7})
    with pytest.raises(RunError, match="2 of 7 records were not compared"):
        check_complete({"objects": 5, "known": 2, "compared": 5})


def test_dataflow_stops_at_the_workers_and_keeps_one_encoder_a_machine():
    options = dataflow_options(50, Dataflow("p", "r", "gs://s", "image", ""))
    assert options["max_num_workers"] == 50
    assert options["machine_type"] == MACHINE
    assert "no_use_multiple_sdk_containers" in options["experiments"]
    assert options["temp_location"] == "gs://s/temp"
