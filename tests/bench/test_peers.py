"""The benchmark beside other packages, without any of them."""

import importlib
import json
import sys

import numpy as np
import pytest

from benchmarks.peers import measure, report
from benchmarks.peers.environments import ALL, REQUIREMENTS, environments, pinned
from benchmarks.peers.given import LIMIT, PHOTOS, Given
from benchmarks.peers.measure import BUILDS, WHATS, Measured, Side, SideError, Worker, recall_of

SIDES = [side for one in ALL for side in one.sides]


@pytest.fixture
def given(tmp_path):
    (tmp_path / "vectors").mkdir()
    np.save(tmp_path / "vectors" / "vectors.npy", np.eye(40, dtype=np.float32))
    np.save(tmp_path / "queries.npy", np.eye(40, dtype=np.float32)[:3])
    empty = dict.fromkeys(("checkpoint", "bundles", "pictures", "many", "index", "space"), "")
    given = Given(folder=str(tmp_path), photos=40, texts=["a"], **empty)
    given.write()
    return given


@pytest.mark.parametrize("file", sorted(REQUIREMENTS.iterdir()), ids=lambda file: file.stem)
def test_each_requirement_is_pinned_and_belongs_to_a_peer(file):
    assert file.stem in {one.name for one in ALL}
    assert pinned(file)
    for line in pinned(file):
        name, _, version = line.partition("==")
        assert name
        assert version[:1].isdigit(), line


def test_each_peer_has_requirements_and_sides_with_a_name():
    assert all(one.requirements.exists() for one in ALL)
    assert set(SIDES) == set(report.PEERS) == set(WHATS) - {"ours"}


@pytest.mark.parametrize("side", WHATS)
def test_a_side_has_what_the_benchmark_calls_and_imports_without_its_packages(side):
    module = importlib.import_module(f"benchmarks.peers.sides.{side}")
    assert callable(module.open_side)
    assert ("search" in WHATS[side]) == hasattr(module, "EFFORTS")
    assert (side in BUILDS) == hasattr(module, "build")


def test_an_unknown_peer_is_named_with_the_known_ones():
    with pytest.raises(SystemExit, match=r"no peer is named nonsense; there are faiss, hnswlib"):
        environments(["nonsense", "faiss"])
    assert [one.name for one in environments(["faiss"])] == ["faiss"]


def test_recall_counts_photos_that_score_nearly_like_the_20th_best():
    vectors = np.linspace(1, 0, 101, dtype=np.float32)[:, None]
    query = np.ones((1, 1), np.float32)
    bound = vectors[LIMIT - 1]
    best = list(range(LIMIT))

    def recall(rows):
        return recall_of([rows], query, vectors, bound)

    assert recall(best) == 1
    assert recall([*best[:-1], 50]) == 0.95
    assert recall([0] * LIMIT) == 0.05
    assert recall_of([[*best[:-1], LIMIT]], query, vectors, bound - 0.0096) == 1


def measured():
    found = Measured()
    for what, theirs, ours in (("text", 0.004, 0.002), ("search", 0.001, 0.002)):
        found.seconds[what, "sbert" if what == "text" else "hnsw"] = [theirs] * 3
        found.seconds[what, "ours"] = [ours] * 3
    for key, values in found.seconds.items():
        found.cpu[key] = [2 * value for value in values]
        found.starts[key], found.start_cpu[key], found.peaks[key] = [1.0], [0.5], [1e8]
    found.seconds["photos", "sbert"], found.seconds["photos", "ours"] = [9.0], [9.0]
    found.cpu["photos", "sbert"], found.cpu["photos", "ours"] = [PHOTOS / 5], [PHOTOS / 10]
    found.recalls["hnsw"] = [(50, 0.9), (100, 0.995)]
    found.others["text"] = 1.25
    return found


def test_rows_are_worst_for_us_first_and_say_by_how_much():
    rows = report.rows_of(measured())
    assert [row.factor for row in rows] == sorted(row.factor for row in rows)
    assert (rows[0].measure, rows[0].peer, rows[0].factor) == ("search", "hnsw", 0.5)
    assert rows[0].recall == 0.995
    [photos] = [row for row in rows if row.measure == "photos"]
    assert (photos.theirs, photos.ours, photos.factor) == (5, 10, 2)


def test_the_table_has_a_row_for_each_measure_and_says_what_was_not_measured():
    found = report.report_of(measured())
    found["cannot"] = {"rclip": "it downloads its model"}
    text = report.table(json.loads(json.dumps(found)))
    assert "| search stage, ms | hnswlib (recall 0.995) | 1 | 2 | 0.5x | 0.5x |" in text
    assert "* rclip: it downloads its model" in text
    assert "other processes used meanwhile: text 1.2." in text
    assert text.count("\n| ") == 1 + len(found["rows"])


SIDE = """
import numpy

EFFORTS = (1, LIMIT)
def build(given):
    print("this is no answer")
def open_side(what, given, effort):
    if what == "text":
        raise ValueError("it has no encoder")
    vectors, queries = given.vectors(), given.queries()
    return lambda n: numpy.argsort(-vectors @ queries[n % 3], kind="stable")[:effort].tolist()
"""


@pytest.fixture
def side(tmp_path, monkeypatch):
    """A side in this environment, in a folder of its own."""
    package = tmp_path / "benchmarks"
    (package / "peers").mkdir(parents=True)
    source = measure.WORKER.parent
    for name in ("worker.py", "given.py"):
        (package / "peers" / name).write_text((source / name).read_text())
    (package / "peers" / "sides").mkdir()
    code = SIDE.replace("LIMIT", str(LIMIT))
    (package / "peers" / "sides" / "double.py").write_text(code)
    monkeypatch.setattr(measure, "WORKER", package / "peers" / "worker.py")
    return Side("double", sys.executable)


def test_a_side_answers_in_its_process_whatever_it_prints(given, side):
    worker = Worker(side, given, "search", LIMIT)
    try:
        answer = worker.ask([0, 1])
    finally:
        worker.close()
    assert [rows[0] for rows in answer["found"]] == [0, 1]
    assert len(answer["seconds"]) == len(answer["cpu"]) == 2
    assert min(answer["seconds"]) > 0


def test_a_side_that_cannot_start_says_why(given, side):
    with pytest.raises(SideError, match="ValueError: it has no encoder"):
        Worker(side, given, "text", None)
