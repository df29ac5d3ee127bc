"""Runs a command, and ends it with all its children when the parent has gone.

    python end_with_parent.py FD COMMAND…

FD is the reading end of a pipe. Only the parent has the writing end, and never writes. The pipe
ends when the parent ends, even by `kill -9`. This process leads a process group of its own.
"""

import os
import signal
import subprocess
import sys
import threading
import time

END_SECONDS = 10.0  # requests in progress may finish


def main() -> int:
    # The whole group gets this signal. It ends the command, whose exit code is ours.
    signal.signal(signal.SIGTERM, lambda *_: None)
    process = subprocess.Popen(sys.argv[2:])
    threading.Thread(target=_end_group, args=[int(sys.argv[1])], daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


def _end_group(pipe: int) -> None:
    os.read(pipe, 1)
    os.killpg(0, signal.SIGTERM)
    time.sleep(END_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
