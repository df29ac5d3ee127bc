"""Is the photos folder still the one of the start? An unplugged drive must delete no photo."""

from __future__ import annotations

from pathlib import Path

from cli.common.errors import RunError
from cli.run.changes import FolderChanges
from cli.run.options import Options


def identity_of(photos: Path) -> tuple[int, int]:
    """Device and inode: another folder in its place, such as a mount point, has others."""
    try:
        status = photos.stat()
    except OSError as error:
        raise RunError(
            f"the photos folder {photos} is gone; start again when it is back"
        ) from error
    return status.st_dev, status.st_ino


def check_same(photos: Path, identity: tuple[int, int]) -> None:
    """RunError if the folder was replaced: a drive was unplugged, and no photo was deleted."""
    if identity_of(photos) != identity:
        raise RunError(
            f"the photos folder {photos} was replaced by another folder; "
            "if its drive was unplugged, plug it in and start again"
        )


def check_not_emptied(options: Options, changes: FolderChanges, gone: int, allowed: int) -> None:
    """RunError if the folder is empty and the index knows more than `allowed` photos of it.

    A drive that is not mounted looks like an empty folder. All its photos would be deleted from
    the index, and indexed again later. At the start this looks the same as a user who deleted all
    photos, so `allowed` is 0. Later check_same detects most such drives. Some mounts keep their
    identity and lose their content; a user who deletes the last photos by hand deletes fewer.
    """
    if not changes.seen and gone > allowed:
        raise RunError(
            f"the photos folder {options.photos} is empty, but the index knows {gone} photos of "
            "it; if its drive is not mounted, mount it and start again; if you deleted all "
            f"photos, remove {options.state} and start again"
        )
