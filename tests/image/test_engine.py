"""The image with an engine (ENGINE=lance): the mirror runs in it, and the functions as before."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cli.run.model import DEMO_MODEL
from clipsearch.index.format.segments import write_segment
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.image.conftest import USER, buildah, built, inside_of, output_of
from tests.image.test_contents import measured
from tests.image.test_uses import SETTINGS, answers, names
from tests.index.making import photo, random_units

MOST = 850_000_000  # bytes that this image adds to its base


@pytest.fixture(scope="module")
def engine_image(image, base, wheels):
    """The name of the built image. After `image`, whose end removes all of them."""
    return built("localhost/clipsearch-test-lance", base, wheels, "ENGINE=lance")


@pytest.fixture(scope="module")
def inside(engine_image):
    container = output_of(buildah("from", "--pull-never", engine_image))
    yield inside_of(container)
    output_of(buildah("rm", container))


@pytest.fixture(scope="module")
def tree(engine_image):
    container = output_of(buildah("from", "--pull-never", engine_image))
    yield Path(output_of(buildah("mount", container)))
    output_of(buildah("umount", container))
    output_of(buildah("rm", container))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """/data with an index of two photos."""
    folder = tmp_path_factory.mktemp("engine")
    folder.parent.chmod(0o755)
    folder.chmod(0o755)
    bucket = open_bucket((folder / "index").as_uri())
    space = publish_bundle(DEMO_MODEL, bucket)
    dim = json.loads((DEMO_MODEL / "model.json").read_text())["dim"]
    vectors = random_units(2, dim).astype(np.float32)
    write_segment(bucket, space, [photo(f"{i}.jpg", 1, v) for i, v in enumerate(vectors)])
    subprocess.run(["chown", "-R", f"{USER}:{USER}", folder], check=True)
    return folder


def test_it_lists_the_packages_of_the_engine_and_is_not_huge(engine_image, tree, tmp_path, capsys):
    found = json.loads((tree / "opt/venv/sbom.cdx.json").read_text())
    assert {"pylance", "pyarrow", "Flask"} <= {one["name"] for one in found["components"]}
    assert measured(engine_image, tree, tmp_path, capsys) < MOST


def test_a_job_mirrors_the_index_in_it(inside, config, data):
    command = inside(
        *config["Entrypoint"],
        *("mirror", "--quiet", "--json"),
        environ=("CLIPSEARCH_INDEX=file:///data/index", "CLIPSEARCH_MODEL=current"),
        volumes=(f"{data}:/data:rw",),
    )
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).items() >= {"segments": 1, "photos": 2, "damaged": 0}.items()


def test_search_runs_in_it(start, inside, data):
    search = start(
        inside, environ=(*SETTINGS, "FUNCTION_TARGET=search"), volumes=(f"{data}:/data:rw",)
    )
    search.wait_for(lambda: answers(f"{search.url}health"), "search answers")
    assert set(names(f"{search.url}?q=a car")) == {"0.jpg", "1.jpg"}


def test_another_engine_is_refused(base, wheels):
    with pytest.raises(AssertionError, match="ENGINE is 'faiss'; it must be lance or empty"):
        built("localhost/clipsearch-test-faiss", base, wheels, "ENGINE=faiss")
