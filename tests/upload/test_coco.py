"""`make coco`, as a person uses it, with a server on which everything goes wrong."""

import os
import pty
import signal
import subprocess
import termios
import time

import pytest

from cli.common.retry import retry_after
from tests.support.coco_double import (
    ARCHIVE,
    CUT,
    LONG,
    PAGE,
    RESET,
    SHORT,
    SLOW,
    UNCOUNTED,
    jpeg,
    name_of,
)
from tests.support.waiting import wait_for
from tests.upload.conftest import ROOT, TIMEOUT, Cloud, command, last_line, one_line, run


def path_of(number):
    return f"/val2017/{name_of(number)}"


def object_of(number):
    return f"coco/{name_of(number)}"


def expected(count):
    return {object_of(n): jpeg(n) for n in range(count)}


def data_of(to):
    return {name: stored.data for name, stored in to.objects().items()}


def test_photos_arrive_with_all_that_belongs_to_them(coco, make_coco, to):
    done = run("coco", *make_coco(to, "--count", 5))
    assert last_line(done) == "5 asked, 0 present, 5 uploaded now, 0 failed"
    assert (done.returncode, done.stderr) == (0, "")
    assert data_of(to) == expected(5)
    stored = to.objects()[object_of(3)]
    assert stored.metadata == {
        "license": "Attribution License",
        "license-url": "http://example.org/by/2.0/",
        "source-url": f"http://images.cocodataset.org/val2017/{name_of(3)}",
        "flickr-url": "http://farm.example.org/3_z.jpg",
    }
    if isinstance(to, Cloud):
        assert stored.content_type == "image/jpeg"
        assert stored.cache_control == "public, max-age=31536000, immutable"
    assert all("clipsearch" in headers["User-Agent"] for _, headers in coco.requests)


def test_another_run_does_nothing_twice_and_more_is_more(coco, make_coco, to):
    run("coco", *make_coco(to, "--count", 5))
    before = to.states()
    again = run("coco", *make_coco(to, "--count", 5))
    assert last_line(again) == "5 asked, 5 present, 0 uploaded now, 0 failed"
    more = run("coco", *make_coco(to))
    assert last_line(more) == "30 asked, 5 present, 25 uploaded now, 0 failed"
    assert data_of(to) == expected(30)
    assert before.items() <= to.states().items()
    assert sorted(path for path, _ in coco.requests) == sorted(coco.files)  # each once


def test_what_passes_is_not_noticed(coco, make_coco, to):
    passing = [429, 500, 502, 503, (503, "1"), CUT, SHORT, LONG, RESET, PAGE, SLOW, UNCOUNTED]
    for number, fault in enumerate(passing):
        coco.fail(path_of(number), fault)
    coco.fail(path_of(20), CUT, 503, PAGE)
    coco.fail(ARCHIVE, 503, CUT, RESET)
    done = run("coco", *make_coco(to))
    assert last_line(done) == "30 asked, 0 present, 30 uploaded now, 0 failed"
    assert done.returncode == 0
    assert data_of(to) == expected(30)
    assert not any(coco.faults.values())


def test_what_lasts_is_listed_with_its_reason_and_comes_next_time(coco, make_coco, to):
    coco.fail(path_of(2), 404)
    coco.fail(path_of(5), *[PAGE] * 5)
    coco.fail(path_of(7), *[CUT] * 5)
    coco.fail(path_of(9), *[SHORT] * 5)
    coco.fail(path_of(11), *[503] * 5)
    whole = coco.files[path_of(13)]
    coco.files[path_of(13)] = bytes(20_000_001)
    done = run("coco", *make_coco(to))
    assert done.returncode == 1
    *lines, last = done.stdout.splitlines()
    assert last == "30 asked, 0 present, 24 uploaded now, 6 failed"
    reasons = [
        (2, "the server answers 404"),
        (5, "not a picture"),
        (7, "cut off: "),
        (9, "damaged or cut off JPEG"),
        (11, "the server answers 503"),
        (13, "more than 20,000,000 bytes"),
    ]
    for line, (number, reason) in zip(lines, reasons, strict=True):
        assert line.startswith(f"cannot be uploaded: {object_of(number)}: ")
        assert reason in line
    assert coco.asked(path_of(2)) == 1  # asking again for what is not there is no use
    coco.files[path_of(13)] = whole
    again = run("coco", *make_coco(to))
    assert last_line(again) == "30 asked, 24 present, 6 uploaded now, 0 failed"
    assert data_of(to) == expected(30)


def test_a_server_that_asks_to_wait_is_left_alone_for_so_long(coco, make_coco, folder):
    coco.fail(path_of(2), (429, "2"))
    done = run("coco", *make_coco(folder, "--count", 5, "--jobs", 1))
    assert done.returncode == 0
    refused = [path for path, _ in coco.requests].index(path_of(2))
    assert coco.times[refused + 1] - coco.times[refused] >= 2


def test_a_server_that_asks_for_very_long_is_not_asked_again(coco, make_coco, folder):
    coco.fail(path_of(3), (429, "86400"))
    done = run("coco", *make_coco(folder, "--jobs", 1))
    assert done.returncode == 1
    assert last_line(done) == "30 asked, 0 present, 3 uploaded now, 0 failed, 27 not tried"
    assert "asks for a pause of 86400 s" in one_line(done)
    assert len(coco.requests) == 1 + 4


def test_no_more_at_once_than_asked_for(coco, make_coco, folder):
    coco.delay = 0.1
    assert run("coco", *make_coco(folder, "--jobs", 3)).returncode == 0
    assert coco.most_at_once == 3


def test_where_nothing_is_right_it_gives_up(coco, make_coco, to):
    coco.files = {ARCHIVE: coco.files[ARCHIVE]}
    done = run("coco", *make_coco(to, "--jobs", 1))
    assert done.returncode == 1
    assert last_line(done) == "30 asked, 0 present, 0 uploaded now, 20 failed, 10 not tried"
    assert f"given up: 20 in a row failed, the last one with: {coco.url}/val2017/" in one_line(done)


def test_a_network_that_goes_away_is_said_in_bounded_time(coco, make_coco, folder):
    annotations = run("coco", *make_coco(folder, "--count", 1))
    assert annotations.returncode == 0
    done = run("coco", *make_coco(folder, "--images", "http://127.0.0.1:9"))
    assert done.returncode == 1
    assert "Connection refused" in one_line(done)


def test_killed_anywhere_the_next_run_completes_it(coco, make_coco, to):
    coco.delay = 0.5
    killed = subprocess.Popen(command("coco", *make_coco(to, "--jobs", 2)), cwd=ROOT)
    wait_for(lambda: len(to.objects()) >= 6, "some are there", TIMEOUT)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    coco.delay = 0
    before = to.states()
    assert 6 <= len(before) < 30
    assert data_of(to).items() <= expected(30).items()
    last = last_line(run("coco", *make_coco(to)))
    n = int(last.split(" present")[0].split()[-1])
    assert n >= len(before)  # the cloud takes what it had got before the kill
    assert last == f"30 asked, {n} present, {30 - n} uploaded now, 0 failed"
    assert data_of(to) == expected(30)
    assert before.items() <= to.states().items()
    assert coco.asked(ARCHIVE) == 1
    assert all(coco.asked(f"/val2017/{name.removeprefix('coco/')}") == 1 for name in before)


def test_ctrl_c_ends_it_in_words(coco, make_coco, to):
    coco.delay = 0.5
    process = subprocess.Popen(
        command("coco", *make_coco(to, "--jobs", 2)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: len(to.objects()) >= 4, "some are there", TIMEOUT)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    coco.delay = 0
    assert process.returncode == 130
    assert err == "clipsearch: stopped; the same command continues\n"
    n = len(to.objects())
    assert out == f"30 asked, 0 present, {n} uploaded now, 0 failed, {30 - n} not tried\n"
    assert last_line(run("coco", *make_coco(to))).startswith(f"30 asked, {n} present, ")
    assert data_of(to) == expected(30)


def test_two_at_once_do_no_harm(coco, make_coco, to):
    coco.fail(ARCHIVE, SLOW)  # for long enough that both want it
    both = [
        subprocess.Popen(command("coco", *make_coco(to)), cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in both:
        out, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0
        assert out.decode().endswith(", 0 failed\n")
    assert data_of(to) == expected(30)
    assert coco.asked(ARCHIVE) == 1


def test_a_bar_tells_rate_and_time_left(coco, make_coco, folder):
    coco.delay = 0.05
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 120))
    process = subprocess.Popen(
        command("coco", *make_coco(folder, "--jobs", 2)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=its,
    )
    os.close(its)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert b"30 asked" in process.communicate(timeout=TIMEOUT)[0]
    assert b"annotations: 100%" in shown
    assert b"uploading: 100%" in shown
    assert b"30/30" in shown
    assert b"photos/s]" in shown


def _read(terminal):
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--split", "test2017"], "--split test2017 is unknown; it must be val2017 or train2017"),
        (["--count", "many"], "--count is 'many'; it must be a whole number of 1 or more"),
        (["--count", "0"], "--count is '0'; it must be"),
        (["--count", "-3"], "--count is '-3'; it must be"),
        (["--count", "31"], "--count is 31, and val2017 has 30 photos only"),
        (["--images", "images.example"], "--images images.example is not a URL"),
        (["--annotations", "/none/such"], "--annotations /none/such does not exist"),
        (["--annotations", "/tmp"], "--annotations /tmp is a folder"),
        (["--jobs", "99"], "--jobs is '99'; it must be a whole number from 1 to 10"),
        (["--speed", "9"], "--speed"),
    ],
)
def test_what_cannot_be_is_one_line(make_coco, folder, arguments, what):
    done = run("coco", *make_coco(folder, *arguments))
    assert what in one_line(done)
    assert (done.returncode, done.stdout) == (2, "")
    assert not folder.root.exists()


@pytest.mark.parametrize(
    ("to", "what"),
    [
        ("my-photos", "'my-photos' is not a bucket; it must be gs://"),
        ("gs://My_Photos", "'gs://My_Photos' is not a bucket"),
        ("file:///proc/version/x", "/proc/version is a file, not a folder"),
    ],
)
def test_what_is_no_bucket_is_one_line(make_coco, folder, to, what):
    done = run("coco", to, *make_coco(folder)[1:])
    assert what in one_line(done)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_bucket_that_is_not_there_is_one_line(make_coco, cloud):
    cloud.url = "gs://no-such-bucket"
    done = run("coco", *make_coco(cloud))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such bucket" in one_line(done)


def test_a_bucket_that_may_not_be_listed_is_one_line(make_coco, cloud):
    cloud.double.faults.append(403)
    done = run("coco", *make_coco(cloud))
    assert (done.returncode, done.stdout) == (1, "")
    assert "list 'coco/' in gs://photos/some/prefix: 403" in one_line(done)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("0", 0), ("7", 7), ("-1", None), ("soon", None), ("", None), ("\u0667", None)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after(value) == seconds


def test_a_date_to_come_is_so_many_seconds():
    in_a_minute = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    assert 0 < retry_after(in_a_minute) <= 60
