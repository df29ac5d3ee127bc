"""The worst pictures at once, in the memory that Terraform gives to `search`."""

import asyncio

import pytest

from benchmarks.decoding.inputs import INPUTS
from tests.search.conftest import Gallery
from tests.search.test_busy import many_requests_to
from tests.support.function_server import running_function

MEMORY = 2 << 30
WORST = {
    "JPEG, progressive": 200,
    "PNG, transparent": 200,
    "JPEG, 1,000 scans": 422,
    "WebP of 40 bytes, 50 MP": 422,
    "TIFF of 0.2 KB, a tile of 60,000 x 30,000": 422,
}


@pytest.fixture(scope="module")
def small_server(tmp_path_factory, tiny_bundle, filled_folder):
    log = tmp_path_factory.mktemp("small") / "log"
    settings = Gallery(filled_folder, tiny_bundle).environment
    with running_function("search", settings, log, memory=MEMORY) as address:
        yield address


@pytest.mark.parametrize("name", WORST)
def test_two_at_once_are_answered_and_so_is_a_text_meanwhile(small_server, name):
    picture = INPUTS[name]()

    async def ask():
        async with many_requests_to(small_server) as client:
            assert (await client.get("/?q=blue")).status_code == 200  # everything is loaded
            files = {"image": ("a", picture)}
            posts = [asyncio.create_task(client.post("/?limit=1", files=files)) for _ in range(2)]
            text = await client.get("/?q=blue")
            return text, await asyncio.gather(*posts)

    text, answers = asyncio.run(ask())
    assert text.status_code == 200
    assert [answer.status_code for answer in answers] == [WORST[name]] * 2
