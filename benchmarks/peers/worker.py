"""One side in a process of its own, in its own environment.

python benchmarks/peers/worker.py SIDE WORLD build
python benchmarks/peers/worker.py SIDE WORLD first WHAT EFFORT
python benchmarks/peers/worker.py SIDE WORLD serve WHAT EFFORT

`serve` reads lists of numbers as lines of JSON, and answers with the seconds of each and the CPU
seconds of each, of all threads and processes.
"""

import importlib
import json
import os
import sys
import time
import types


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints must not look like an answer
    side, world, command, *rest = sys.argv[1:]
    # benchmarks/__init__.py needs our own environment, so it does not run here.
    sys.modules["benchmarks"] = package = types.ModuleType("benchmarks")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    # Imported late: a cold start has little of our own before the first answer.
    from pathlib import Path

    from benchmarks.peers.given import Given

    given = Given.read(Path(world))
    module = importlib.import_module(f"benchmarks.peers.sides.{side}")
    if command == "build":
        begin = time.monotonic()
        module.build(given)
        answer(out, {"seconds": time.monotonic() - begin})
        return
    what, effort = rest[0], json.loads(rest[1])
    work = module.open_side(what, given, effort)
    if command == "first":
        work(0)
        now, used = time.monotonic(), cpu_seconds()  # monotonic() is one clock for all
        for number in range(1, 6):
            work(number)
        answer(out, {"at": now, "cpu": used, "peak": peak()})
        return
    answer(out, "ready")
    for line in sys.stdin:
        seconds, cpu, found = [], [], []
        for number in json.loads(line):
            begin, begin_cpu = time.perf_counter(), cpu_seconds()
            result = work(number)
            seconds.append(time.perf_counter() - begin)
            cpu.append(cpu_seconds() - begin_cpu)
            found.append(result)
        answer(out, {"seconds": seconds, "cpu": cpu, "found": found if what == "search" else None})


def answer(out, value) -> None:  # type: ignore[no-untyped-def]
    out.write(json.dumps(value) + "\n")
    out.flush()


def cpu_seconds() -> float:
    """Of this process's threads, and of its children that ended."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def peak() -> int:
    """Peak resident memory of this process in bytes."""
    with open("/proc/self/status") as status:
        [line] = [line for line in status if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
