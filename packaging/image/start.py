"""The entry point of the image: a function, or the command `clipsearch`.

FUNCTION_TARGET=search or ingest    that function, on PORT of all networks
no argument, or options             `clipsearch run` over /photos, with its state in /data
a command, such as status           that command of `clipsearch`
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

APP = Path(__file__).resolve().parent.parent
PHOTOS, DATA = Path("/photos"), Path("/data")
# For temporary files, best first. /dev/shm is small, but Docker keeps it writable.
TEMPORARY = ("/tmp", "/data", "/dev/shm")


class Refused(Exception):
    """The message says what is wrong with the container, and how to start it."""


def command_of(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    photos: Path = PHOTOS,
    data: Path = DATA,
) -> list[str]:
    """The program and its arguments. Refused if a mounted folder cannot be used."""
    port = environ.get("PORT") or "8080"
    if target := environ.get("FUNCTION_TARGET"):
        if target not in ("search", "ingest"):
            raise Refused(f"FUNCTION_TARGET is {target!r}; it must be search, ingest or unset")
        if arguments:
            raise Refused(
                f"FUNCTION_TARGET={target} takes no arguments; you gave {' '.join(arguments)}"
            )
        framework = str(Path(sys.executable).with_name("functions-framework"))
        source = str(APP / "functions" / "main.py")
        place = ["--host", "0.0.0.0", "--port", port]
        return [framework, "--source", source, "--target", target, *place]
    cli = [sys.executable, "-m", "cli"]
    if arguments and not arguments[0].startswith("-"):
        return [*cli, *arguments]
    if "-h" in arguments or "--help" in arguments:
        return [*cli, "run", "--help"]
    _check(data, os.R_OK | os.W_OK | os.X_OK, "write")
    folder = []
    if photos.exists():
        _check(photos, os.R_OK | os.X_OK, "read")
        folder = [str(photos)]
    return [*cli, "run", *folder, "--host", "0.0.0.0", "--port", port, "--no-browser", *arguments]


def _check(folder: Path, access: int, what: str) -> None:
    if os.access(folder, access):
        return
    if not folder.exists():
        raise Refused(f"{folder} does not exist; mount a volume there: -v clipsearch:{folder}")
    if access & os.W_OK and os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise Refused(
            f"{folder} is read-only; mount a volume there, without :ro: -v clipsearch:{folder}"
        )
    found = folder.stat()
    raise Refused(
        f"user {os.geteuid()} may not {what} {folder} (it belongs to user {found.st_uid}, mode "
        f"{stat.S_IMODE(found.st_mode):o}); start the container with "
        f"--user {found.st_uid}:{found.st_gid}, or change the folder's permissions"
    )


def temporary_folder(folders: Sequence[str] = TEMPORARY) -> str | None:
    """The first folder that takes files; the root file system may be read-only."""
    return next((name for name in folders if os.access(name, os.W_OK | os.X_OK)), None)


def main() -> None:
    try:
        command = command_of(sys.argv[1:], os.environ)
    except Refused as error:
        sys.exit(f"clipsearch: {error}")
    if "TMPDIR" not in os.environ and (folder := temporary_folder()):
        os.environ["TMPDIR"] = folder
    os.chdir(APP)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
