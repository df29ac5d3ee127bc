"""Runs a command, and ends it and all that it has started when the parent has gone.

    python end_with_parent.py FD COMMAND…

FD is the reading end of a pipe. The parent alone has the other end and never writes: at the end of
the file the parent has ended, even by `kill -9`. This process leads a group of its own.
"""

import os
import signal
import subprocess
import sys
import threading
import time

END_SECONDS = 10.0  # requests in progress may finish


def main() -> int:
    # The command ends by this signal, which its whole group gets; its exit code is ours.
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
