"""Calls a function of compaction.py in a process of its own, which takes its memory along.

A merge or a pack needs up to 400 MB. In Beam's process, that would come on top of Beam's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from cli import ROOT
from cli.embed import compaction
from cli.embed.job import Job
from cli.embed.talk import Fault, receive, send
from clipsearch.errors import ClipsearchError, StorageError
from clipsearch.storage import open_bucket

COMMAND = [sys.executable, "-m", "cli.embed.apart"]


def apart(function: str, job: Job, *arguments: Any) -> Any:
    """`function`: its name; it gets the index, the space and `arguments`.

    Raises StorageError, also if the process ends.
    """
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, (function, job, arguments))
            answer = receive(process.stdout)
        except (EOFError, OSError) as error:
            code = process.wait()
            raise StorageError(f"{function} ended its process, exit code {code}") from error
    if isinstance(answer, Fault):
        raise StorageError(answer.reason)
    return answer


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints would break the answer
    function, job, arguments = receive(sys.stdin.buffer)
    try:
        send(answers, getattr(compaction, function)(open_bucket(job.index), job.space, *arguments))
    except ClipsearchError as error:
        send(answers, Fault(str(error)))


if __name__ == "__main__":
    main()
