"""The image, built without a container engine: by Debian's buildah, over a base by debootstrap.

`make test-image` runs these tests; `make test` leaves them out. They need root, and the network
for the first build. What they keep is below .image/.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".image"
SUITE, PYTHON = "trixie", "3.13"  # Debian's, and its Python: that of the default base
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
LOCKS = ("functions", "cli", "functions/clipsearch/engine", "packaging/image")
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux2014", "manylinux_2_17")
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists")
USER = 65532


def buildah(*arguments):
    storage = ("--root", KEPT / "storage", "--runroot", KEPT / "runroot")
    command = ["buildah", "--storage-driver", "vfs", *storage, *arguments]
    return [str(part) for part in command]


def output_of(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="session")
def base():
    """The name of a base with Python and venv, as python:3.13-slim has them."""
    for tool, package in (("buildah", "buildah"), ("debootstrap", "debootstrap")):
        if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip(f"{tool} is not installed (Debian: apt-get install {package})")
    if os.geteuid() != 0:
        pytest.skip("debootstrap needs root")
    folder = KEPT / f"base-{SUITE}"
    if not (folder / "usr/bin/python3").exists():
        shutil.rmtree(folder, ignore_errors=True)
        KEPT.mkdir(parents=True, exist_ok=True)
        packages = "--include=python3,python3-venv,ca-certificates"
        unpacked = folder.with_name("base-new")
        shutil.rmtree(unpacked, ignore_errors=True)
        debootstrap = shutil.which("debootstrap") or "/usr/sbin/debootstrap"
        output_of([debootstrap, "--variant=minbase", packages, SUITE, str(unpacked), MIRROR])
        for unread in (*UNREAD, "var/cache/apt"):
            shutil.rmtree(unpacked / unread, ignore_errors=True)
        unpacked.rename(folder)
    name = f"localhost/clipsearch-base-{SUITE}"
    container = output_of(buildah("from", "scratch"))
    output_of(buildah("add", "--quiet", container, folder, "/"))
    output_of(buildah("commit", "--quiet", "--rm", container, name))
    return name


@pytest.fixture(scope="session")
def wheels():
    """A folder with all packages of the locks: pip in the build lacks the settings of this one."""
    folder = KEPT / "wheels"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(folder)]
    pip += ["--python-version", PYTHON, "--implementation", "cp", "--platform", "any"]
    for platform in PLATFORMS:
        pip += ["--platform", f"{platform}_{os.uname().machine}"]
    for lock in LOCKS:
        output_of([*pip, "-r", f"{lock}/requirements.txt"])
    return folder


@pytest.fixture(scope="session")
def image(base, wheels):
    """The name of the built image."""
    yield built("localhost/clipsearch-test", base, wheels)
    output_of(buildah("rmi", "--all", "--force"))


def built(name, base, wheels, *variables):
    """Builds the image of this checkout with these build arguments, and returns its name."""
    options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--layers=false"]
    for variable in (f"BASE={base}", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels", *variables):
        options += ["--build-arg", variable]
    output_of(buildah("bud", *options, "--volume", f"{wheels}:/wheels:ro", "--tag", name, "."))
    return name


@pytest.fixture(scope="session")
def config(image):
    inspected = json.loads(output_of(buildah("inspect", "--type", "image", image)))
    return inspected["Docker"]["config"]


@pytest.fixture(scope="session")
def container(image):
    name = output_of(buildah("from", "--pull-never", image))
    yield name
    output_of(buildah("rm", name))


@pytest.fixture(scope="session")
def tree(container):
    """The root of its file system on this machine."""
    yield Path(output_of(buildah("mount", container)))
    output_of(buildah("umount", container))


@pytest.fixture(scope="session")
def inside(container, config):
    """The command line that runs `command` in the container, as its user."""
    return inside_of(container)


def inside_of(container):
    def inside(*command, environ=(), volumes=(), user=USER):
        options = ["--isolation", "chroot", "--user", f"{user}:{user}"]
        for variable in environ:
            options += ["--env", variable]
        for volume in volumes:
            options += ["--volume", volume]
        return buildah("run", *options, container, "--", *command)

    return inside


@pytest.fixture(scope="session")
def read_only(tree, config):
    """As `inside`, with a root file system that nobody can write to: chroot isolation has none."""

    def read_only(*command, environ=(), volumes=()):
        steps = [f"mount --rbind {tree} {tree}", f"mount -o remount,ro,bind {tree}"]
        for system in ("/dev", "/proc"):
            steps.append(f"mount --rbind {system} {tree}{system}")
        for volume in volumes:
            source, place, *_ = volume.split(":")
            steps.append(f"mount --bind {source} {tree}{place}")
        variables = [*config["Env"], *environ]
        last = ["chroot", f"--userspec={USER}:{USER}", tree, "env", "-i", *variables, *command]
        steps.append("exec " + " ".join(f"'{part}'" for part in last))
        return ["unshare", "--mount", "sh", "-ec", "; ".join(steps)]

    return read_only


@pytest.fixture
def start(config, tmp_path):
    """Starts the image's entry point as `how` says (`inside` or `read_only`) until the test ends.

    `start(how, *arguments, environ, volumes)` → Started."""
    with running(config, tmp_path) as start:
        yield start


class Started:
    def __init__(self, process, port, log, begin):
        self.process, self.port, self._log, self.begin = process, port, log, begin
        self.url = f"http://127.0.0.1:{port}/"

    def output(self):
        return self._log.read_text()

    def wait_for(self, condition, what):
        """Returns the seconds since the start."""
        wait_for(lambda: condition() or self.process.poll() is not None, what)
        assert self.process.poll() is None, self.output()
        return time.monotonic() - self.begin


@contextmanager
def running(config, folder):
    processes = []

    def start(how, *arguments, environ=(), volumes=()):
        port = free_port()
        command = how(
            *config["Entrypoint"],
            *arguments,
            environ=(f"PORT={port}", *environ),
            volumes=volumes,
        )
        log = folder / f"log-{port}"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )
        processes.append(process)
        return Started(process, port, log, time.monotonic())

    try:
        yield start
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, 15)
                try:
                    process.wait(PATIENCE)
                finally:
                    if process.poll() is None:
                        os.killpg(process.pid, 9)
