"""What is in the image, who may write it, and how large it is."""

import gzip
import json
import stat
import subprocess

from tests.image.conftest import USER, buildah, output_of

MOST = 400_000_000  # bytes that the image adds to its base


def files(tree, *folders):
    for folder in folders:
        yield from (path for path in (tree / folder).rglob("*") if not path.is_symlink())


def test_it_runs_as_a_user_of_its_own_and_says_how_to_see_its_health(config, inside):
    assert config["User"] == f"{USER}:{USER}"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    assert output_of(inside("id", "-u")) == str(USER)


def test_its_user_may_write_nothing_but_the_data_and_temporary_files(inside):
    find = "find / -xdev -writable ! -type l ! -type c 2>/dev/null | grep -v '^/proc'; true"
    found = set(output_of(inside("sh", "-c", find)).split())
    # the last is of buildah
    assert found <= {
        "/data",
        "/tmp",
        "/var/tmp",
        "/run/lock",
        "/dev/shm",
        "/dev/mqueue",
        "/dev/pts",
    }
    owned = output_of(inside("sh", "-c", f"find / -xdev -user {USER} 2>/dev/null | head; true"))
    assert {path for path in owned.split() if not path.startswith(("/proc", "/dev"))} == set()


def test_nothing_in_it_changes_its_user(tree):
    special = stat.S_ISUID | stat.S_ISGID
    changing = [
        path for path in files(tree, ".") if path.is_file() and path.stat().st_mode & special
    ]
    assert changing == []


def test_it_has_no_pip_and_no_compiler(tree, inside):
    assert subprocess.run(inside("python", "-m", "pip"), capture_output=True).returncode != 0
    named = [
        path
        for path in files(tree, "usr", "opt")
        if path.name in {"pip", "pip3", "gcc", "cc"} and path.is_file()
    ]
    assert named == []
    assert not list(tree.glob("**/site-packages/pip"))


def test_all_its_code_is_compiled_and_needs_no_look_at_its_source(tree):
    sources = [path for path in files(tree, "app", "opt/venv/lib") if path.suffix == ".py"]
    assert len(sources) > 1000
    missing = []
    for path in sources:
        [compiled] = path.parent.glob(f"__pycache__/{path.stem}.cpython-*.pyc") or [None]
        # the second word of the file is 1: by hash, and unchecked (PEP 552)
        if compiled is None or compiled.read_bytes()[4:8] != b"\1\0\0\0":
            missing.append(path)
    assert missing == []


def test_its_list_of_packages_is_that_of_the_locks(tree):
    found = json.loads((tree / "opt/venv/sbom.cdx.json").read_text())
    assert found["bomFormat"] == "CycloneDX"
    packages = {
        one["name"].lower().replace("_", "-"): one["version"] for one in found["components"]
    }
    assert packages["numpy"]
    assert {"flask", "faiss-cpu", "onnxruntime", "watchfiles"} <= packages.keys()
    unwanted = {"pip", "pytest", "torch", "cyclonedx-bom", "pylance", "pyarrow"}
    assert unwanted & packages.keys() == set()
    installed = {
        path.stem.rpartition("-")[0].lower().replace("_", "-")
        for path in (tree / "opt/venv").glob("lib/python3*/site-packages/*.dist-info")
    }
    assert installed == packages.keys()


def test_it_is_small(image, tree, tmp_path, capsys):
    assert measured(image, tree, tmp_path, capsys) < MOST


def measured(image, tree, tmp_path, capsys):
    """Prints the sizes of the image; returns the bytes that it adds to its base."""
    size = sum(path.stat().st_size for path in files(tree, "app", "opt") if path.is_file())
    archive = tmp_path / "image.tar"
    output_of(buildah("push", "--quiet", "--format", "docker", image, f"docker-archive:{archive}"))
    with archive.open("rb") as source, gzip.open(tmp_path / "image.gz", "wb", 6) as target:
        while data := source.read(1 << 20):
            target.write(data)
    packed = (tmp_path / "image.gz").stat().st_size
    with capsys.disabled():
        print(
            f"\nimage: {archive.stat().st_size / 1e6:.0f} MB, {packed / 1e6:.0f} MB compressed; "
            f"ours {size / 1e6:.0f} MB"
        )
    return size
