"""Both functions as the cloud starts them: fill, switch and go back while people search."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from cli.common.localhost import open_local
from cli.run.feeder import Event
from clipsearch.model.encoder import Encoder
from clipsearch.storage import open_bucket
from tests.support.function_server import running_function
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import COLOURS
from tests.support.waiting import PATIENCE, wait_for

WORDS = "the photo of a red picture"
PICTURE = jpeg((200, 90, 30))
QUESTIONS = ("words", "picture", "like")
LIKE = "0.jpg"


@pytest.fixture
def servers(buckets, tmp_path):
    """(the address of search, that of ingest), each in a process of its own."""
    settings = {
        "CLIPSEARCH_PHOTOS": buckets.photos.as_uri(),
        "CLIPSEARCH_INDEX": (buckets.root / "index").as_uri(),
        "CLIPSEARCH_THUMBNAILS": (buckets.root / "thumbnails").as_uri(),
        "CLIPSEARCH_PHOTOS_URL": "http://127.0.0.1/photos",
        "CLIPSEARCH_THUMBNAILS_URL": "http://127.0.0.1/thumbnails",
    }
    with (
        running_function("search", settings, tmp_path / "search.log") as search,
        running_function("ingest", settings, tmp_path / "ingest.log") as ingest,
    ):
        yield search, ingest


class Crowd:
    """Asks everything again and again until it ends; keeps what came back."""

    def __init__(self, search):
        self.search = search
        self.answers = []
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(len(QUESTIONS) + 1)
        self._asking = [self._pool.submit(self._ask, question) for question in QUESTIONS]

    def end(self):
        self._stop.set()
        for asking in self._asking:
            asking.result()
        self._pool.shutdown()

    def wait_for(self, space):
        """Until some answers more of each kind are of that space."""
        since = len(self.answers)

        def is_used():
            later = [a for a in self.answers[since:] if a[1].json()["index"]["space"] == space]
            return all(sum(q == question for q, _ in later) > 3 for question in QUESTIONS)

        wait_for(is_used, f"search answers with {space}")

    def _ask(self, question):
        with httpx.Client(base_url=self.search, timeout=PATIENCE, trust_env=False) as client:
            while not self._stop.is_set():
                if question == "words":
                    answer = client.get("/", params={"q": WORDS, "limit": 100})
                elif question == "like":
                    answer = client.get("/", params={"like": LIKE, "limit": 100})
                else:
                    files = {"image": ("picture", PICTURE)}
                    answer = client.post("/", files=files, data={"limit": "100"})
                self.answers.append((question, answer))


class Uploads:
    """Puts a photo every now and then, and delivers its event to ingest."""

    def __init__(self, buckets, ingest):
        self._buckets, self._ingest = buckets, ingest
        self._photos = open_bucket(buckets.photos.as_uri())
        self._stop = threading.Event()
        self.count = 0
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def end(self):
        self._stop.set()
        self._thread.join()

    def _work(self):
        while not self._stop.wait(0.2):
            name = f"late-{self.count}.jpg"
            (self._buckets.photos / name).write_bytes(jpeg([*COLOURS][self.count % 8]))
            stat = self._photos.stat(name)
            event = Event("finalized", name, stat.generation, stat.size)
            open_local(event.request(self._ingest + "/"), PATIENCE).close()
            self.count += 1


def right_scores(buckets, space):
    """{question: {name: score}} by the encoder of that space alone."""
    encoder = Encoder.from_bucket(buckets.index, space)
    names = sorted(path.name for path in buckets.photos.iterdir())
    squares = [encoder.decode((buckets.photos / name).read_bytes()).square for name in names]
    photos = dict(zip(names, encoder.encode_image(squares), strict=True))
    vectors = {
        "words": encoder.encode_text([WORDS]).vectors[0],
        "picture": encoder.encode_image([encoder.decode(PICTURE).square])[0],
        "like": photos[LIKE],
    }
    return {
        question: {name: float(photo @ vector) for name, photo in photos.items()}
        for question, vector in vectors.items()
    }


def test_not_one_server_error_and_not_one_mixed_answer(buckets, servers, capsys):
    search, ingest = servers
    crowd = Crowd(search)
    uploads = Uploads(buckets, ingest)
    try:
        crowd.wait_for(buckets.old)
        assert buckets.reconcile("--space", buckets.new) == 0
        crowd.wait_for(buckets.old)  # the fill changes nothing
        assert buckets.switch() == 0
        crowd.wait_for(buckets.new)
        assert buckets.go_back() == 0
        crowd.wait_for(buckets.old)
        assert buckets.switch(buckets.new) == 0
        crowd.wait_for(buckets.new)
    finally:
        uploads.end()
        crowd.end()
    assert uploads.count > 10

    right = {space: right_scores(buckets, space) for space in (buckets.old, buckets.new)}
    seen = set()
    for question, answer in crowd.answers:
        assert answer.status_code == 200, answer.text
        document = answer.json()
        space = document["index"]["space"]
        assert len(document["results"]) >= len(COLOURS) - (question == "like")
        for result in document["results"]:
            score = right[space][question][result["name"]]
            assert result["score"] == pytest.approx(score, abs=1e-5)
        seen.add((question, space))
    assert len(seen) == len(QUESTIONS) * 2
    differences = [
        abs(right[buckets.old][q][name] - right[buckets.new][q][name])
        for q in QUESTIONS
        for name in right[buckets.old][q]
    ]
    assert max(differences) > 0.01  # else a mixed answer could not be told
    assert buckets.reconcile() == 0
    assert buckets.indexed(buckets.new) == buckets.in_folder()
