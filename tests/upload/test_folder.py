"""`make upload`, as a person uses it: a folder of whatever people have."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from PIL import Image

from cli.common.errors import UsageError
from cli.upload.engine import upload
from cli.upload.folder import FolderSource
from cli.upload.options import options_of
from clipsearch.storage import open_bucket
from tests.support.coco_double import jpeg
from tests.support.gcs_double import Refused
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_for
from tests.upload.conftest import ROOT, TIMEOUT, Cloud, Folder, command, last_line, one_line, run


def fill(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


PHOTOS = {
    "a.jpg": jpeg(1),
    "2024/summer/b c.jpeg": jpeg(2),
    "2024/summer/a#b?c%20d.jpg": jpeg(3),
    "2024/été/猫 🐈.png": picture("PNG"),
    "no extension": picture("WEBP"),
    "called jpg.jpg": picture("PNG", "blue"),
    "d.AVIF": picture("AVIF"),
}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "my photos"
    fill(folder, PHOTOS)
    return folder


def data_of(to):
    return {name: stored.data for name, stored in to.objects().items()}


def start(source, to, *more):
    return run("upload", source, to.url, *more)


def test_photos_keep_their_relative_names(source, to):
    done = start(source, to)
    assert last_line(done) == "7 asked, 0 present, 7 uploaded now, 0 failed"
    assert (done.returncode, done.stderr) == (0, "")
    assert data_of(to) == PHOTOS
    if isinstance(to, Cloud):
        stored = to.objects()
        assert {name: stored[name].content_type for name in stored} == {
            **dict.fromkeys(PHOTOS, "image/jpeg"),
            "2024/été/猫 🐈.png": "image/png",
            "no extension": "image/webp",
            "called jpg.jpg": "image/png",
            "d.AVIF": "image/avif",
        }
        assert {object_.cache_control for object_ in stored.values()} == {"max-age=3600"}


def test_what_is_unchanged_is_skipped_and_what_changed_is_replaced(source, to):
    start(source, to)
    to.put("theirs.jpg", b"was there before")
    before = to.states()
    again = start(source, to)
    assert last_line(again) == "7 asked, 7 present, 0 uploaded now, 0 failed"
    assert to.states() == before
    fill(source, {"a.jpg": jpeg(9), "new.jpg": jpeg(10)})
    (source / "d.AVIF").unlink()
    done = start(source, to)
    assert last_line(done) == "7 asked, 5 present, 2 uploaded now, 0 failed"
    new = {"a.jpg": jpeg(9), "new.jpg": jpeg(10), "theirs.jpg": b"was there before"}
    assert data_of(to) == {**PHOTOS, **new}  # nothing is deleted
    after = to.states()
    assert {name for name in before if after[name] != before[name]} == {"a.jpg"}


def test_whether_it_changed_is_known_from_the_listing(source, cloud):
    start(source, cloud)
    cloud.double.requests.clear()
    start(source, cloud)
    assert [method for method, _ in cloud.double.requests] == ["GET"]


def test_what_is_no_photo_is_listed_and_what_is_damaged_has_failed(source, to):
    film = bytes(4) + b"ftypisom"
    fill(
        source,
        {
            "notes.txt": b"dear diary",
            "empty.jpg": b"",
            "film.mp4": film,
            "2024/cut.jpg": jpeg(5)[:-200],
            "large.jpg": b"\xff\xd8\xff",
        },
    )
    os.truncate(source / "film.mp4", 10**12)  # less on the disk, and more than any memory
    os.truncate(source / "large.jpg", 20_000_001)
    done = start(source, to)
    assert done.returncode == 1
    *lines, last = done.stdout.splitlines()
    assert last == "12 asked, 0 present, 7 uploaded now, 2 failed, 3 not photos"
    begins = [
        "cannot be uploaded: 2024/cut.jpg: damaged or cut off JPEG",
        "cannot be uploaded: large.jpg: 20,000,001 bytes; at most 20,000,000 are allowed",
        "not a photo: empty.jpg: the file is empty",
        "not a photo: film.mp4: not a picture of a supported format",
        "not a photo: notes.txt: not a picture of a supported format",
    ]
    assert [line[: len(begin)] for line, begin in zip(lines, begins, strict=True)] == begins
    assert data_of(to) == PHOTOS
    for name in ("2024/cut.jpg", "large.jpg"):
        (source / name).unlink()
    assert start(source, to).returncode == 0  # that there are other files, too, is no failure


def test_hidden_files_and_links_are_treated_as_by_make_run(source, to, tmp_path):
    fill(tmp_path, {"elsewhere/secret.jpg": jpeg(6)})
    fill(source, {".hidden.jpg": jpeg(6), ".git/x.jpg": jpeg(6), "2024/.DS_Store": b"x"})
    (source / "out.jpg").symlink_to(tmp_path / "elsewhere" / "secret.jpg")
    (source / "out").symlink_to(tmp_path / "elsewhere")
    (source / "round").symlink_to(source)
    (source / "nothing.jpg").symlink_to(tmp_path / "nothing")
    (source / "inside.jpg").symlink_to(source / "a.jpg")
    os.mkfifo(source / "pipe.jpg")
    done = start(source, to)
    assert last_line(done) == "8 asked, 0 present, 8 uploaded now, 0 failed"
    assert data_of(to) == {**PHOTOS, "inside.jpg": PHOTOS["a.jpg"]}


def test_a_name_never_steers_the_terminal(source, to):
    fill(source, {"a\x1b[2J\u202e.jpg": b"", "b\x07.jpg": jpeg(7)[:300]})
    lines = start(source, to).stdout.splitlines()
    for begin in (r"not a photo: a\u001b[2J\u202e.jpg: ", r"cannot be uploaded: b\u0007.jpg: "):
        assert any(line.startswith(begin) for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_name_that_cannot_be_is_told(source, to):
    fill(source, {"two\nlines.jpg": jpeg(7)})
    Path(os.fsdecode(os.fsencode(source) + b"/2024/bad\xff.jpg")).write_bytes(jpeg(8))
    done = start(source, to)
    assert done.returncode == 1
    assert done.stderr == ""  # said once, at the end
    *lines, last = done.stdout.splitlines()
    assert "cannot be uploaded: 2024/bad\\udcff.jpg: its name is not UTF-8" in lines
    if isinstance(to, Cloud):
        reason = "Cloud Storage does not allow line breaks"
        assert f"cannot be uploaded: two\\nlines.jpg: {reason}" in lines
        assert last == "9 asked, 0 present, 7 uploaded now, 2 failed"
    else:
        assert last == "9 asked, 0 present, 8 uploaded now, 1 failed"
        assert data_of(to) == {**PHOTOS, "two\nlines.jpg": jpeg(7)}


@pytest.fixture
def without_privileges():
    """A folder, and nobody's rights if the tests run as root, who may do everything."""
    root = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(root, 65534, 65534)
        os.setresuid(65534, 65534, 0)  # the real one, too: os.access goes by it
    yield root
    if is_root:
        os.setresuid(0, 0, 0)
    shutil.rmtree(root)


def test_what_may_not_be_read_is_told(without_privileges, capsys):
    source, to = without_privileges / "from", Folder(without_privileges / "to")
    fill(source, {"a.jpg": jpeg(1), "secret.jpg": jpeg(2), "private/b.jpg": jpeg(3)})
    (source / "secret.jpg").chmod(0)
    (source / "private").chmod(0)
    assert upload(FolderSource(source), open_bucket(to.url), 2) == 1
    (source / "private").chmod(0o700)
    assert capsys.readouterr().out.splitlines() == [
        "cannot be uploaded: private: Permission denied",
        "cannot be uploaded: secret.jpg: it may not be read: Permission denied",
        "3 asked, 0 present, 1 uploaded now, 2 failed",
    ]
    assert data_of(to) == {"a.jpg": jpeg(1)}


def test_a_folder_that_may_not_be_written_is_one_line(without_privileges):
    fill(without_privileges, {"from/a.jpg": jpeg(1), "to/b.jpg": jpeg(1)})
    (without_privileges / "to").chmod(0o500)
    folder, bucket = f"{without_privileges}/from", f"file://{without_privileges}/to/new"
    with pytest.raises(UsageError, match=r"this user may not write into .*/to$"):
        options_of(folder, bucket, jobs=1)


@pytest.mark.parametrize("theirs", [jpeg(1), jpeg(77)])
@pytest.mark.parametrize("was_there", [True, False])
def test_somebody_else_who_writes_the_same_name_meanwhile(tmp_path, to, theirs, was_there, capsys):
    fill(tmp_path, {"from/a.jpg": jpeg(1)})
    if was_there:
        to.put("a.jpg", jpeg(50))

    class Late(FolderSource):
        def read(self, name):
            threading.Event().wait(0.02)  # a tick of the clock of files
            to.put(name, theirs)
            return super().read(name)

    assert upload(Late(tmp_path / "from"), open_bucket(to.url), 1) == 0
    assert data_of(to) == {"a.jpg": jpeg(1)}
    assert capsys.readouterr().out.startswith("1 asked, ")


def test_a_full_disk_ends_it_at_once(tmp_path):
    to = Folder(tmp_path / "to")
    noise = Image.frombytes("RGB", (200, 200), os.urandom(120_000))
    fill(
        tmp_path / "from", dict.fromkeys((f"{n:02}.jpg" for n in range(40)), encoded(noise, "JPEG"))
    )
    upload_ = command("upload", tmp_path / "from", to.url, "--jobs", 1)
    full = subprocess.run(
        ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *upload_],  # blocks of 512 bytes
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert full.returncode == 1
    assert last_line(full) == "40 asked, 0 present, 0 uploaded now, 1 failed, 39 not tried"
    assert "given up: create '00.jpg' in file://" in one_line(full)
    assert list((to.root / ".tmp").iterdir()) == []
    assert last_line(start(tmp_path / "from", to)).startswith("40 asked, 0 present, 40 uploaded")


def test_killed_and_stopped_the_next_run_completes_it(tmp_path, to):
    many = {f"{n % 7}/{n:03}.jpg": jpeg(n) for n in range(400)}
    fill(tmp_path / "from", many)
    done = {}
    for signal_, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        process = subprocess.Popen(
            command("upload", tmp_path / "from", to.url, "--jobs", 1),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wait_for(lambda: len(to.states()) > len(done) + 20, "some more", TIMEOUT)  # noqa: B023
        process.send_signal(signal_)
        assert b"Traceback" not in process.communicate(timeout=TIMEOUT)[1]
        assert process.returncode == code
        before, done = done, to.states()
        assert len(done) < 400
        assert before.items() <= done.items()
    last = last_line(start(tmp_path / "from", to))
    n = int(last.split(" present")[0].split()[-1])
    assert n >= len(done)  # the cloud takes what it had got before the kill
    assert last == f"400 asked, {n} present, {400 - n} uploaded now, 0 failed"
    assert data_of(to) == many
    assert done.items() <= to.states().items()


def test_a_cloud_that_takes_nothing_is_given_up(tmp_path, cloud):
    fill(tmp_path / "from", {f"{n:02}.jpg": jpeg(n) for n in range(40)})
    insert, cloud.double.insert = cloud.double.insert, None

    def refuse(*_):
        raise Refused(403, "you may not write here")

    cloud.double.insert = refuse
    done = start(tmp_path / "from", cloud, "--jobs", 1)
    assert done.returncode == 1
    assert last_line(done) == "40 asked, 0 present, 0 uploaded now, 20 failed, 20 not tried"
    assert "you may not write here" in one_line(done)
    cloud.double.insert = insert
    assert start(tmp_path / "from", cloud).returncode == 0


@pytest.mark.parametrize(
    ("from_", "to", "what"),
    [
        ("/none/such", "gs://photos", "the photos folder /none/such does not exist"),
        ("/proc/version", "gs://photos", "/proc/version is a file; give the folder of the photos"),
        (".", None, "missing argument 'BUCKET'; see clipsearch upload --help"),
        (".", "file://photos", "'file://photos' is not a bucket; it must be gs://"),
        (".", "s3://photos", "'s3://photos' is not a bucket"),
        (".", ROOT.as_uri(), "lies inside the folder ."),
        (".", f"{ROOT.as_uri()}/build/new", "lies inside the folder ."),
    ],
)
def test_what_cannot_be_is_one_line(from_, to, what):
    done = run("upload", from_, *((to,) if to else ()))
    assert what in one_line(done)
    assert (done.returncode, done.stdout) == (2, "")
