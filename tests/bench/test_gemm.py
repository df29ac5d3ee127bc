"""The benchmark of the image tower, with a tiny model."""

import json
import shutil

import onnxruntime
import pytest

from benchmarks.gemm import instructions, measure, products, report, stages
from benchmarks.gemm.instructions import LEVELS, UnknownBuild, levels, limited
from benchmarks.gemm.products import Products
from clipsearch.model.encoder import MAX_BATCH
from tests.encoder.conftest import GOLDEN

# rows, inner, columns of tests/golden/tiny-clip-int8: 9 patches of 8 x 8 pixels, a class token,
# 48 channels, one layer whole and one for the class token.
WHOLE = [(9, 192, 48), (10, 48, 144), (10, 48, 48), (10, 48, 144), (10, 144, 48)]
LAST = [(10, 48, 96), (1, 48, 48), (1, 48, 48), (1, 48, 144), (1, 144, 48)]


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(GOLDEN / "tiny-clip-int8", tmp_path / "bundle")


@pytest.fixture
def found(folder):
    return Products(folder / "image.onnx")


def shapes(found):
    return sorted((one.rows, one.inner, one.columns) for one in found.all)


def test_the_products_of_a_graph_have_the_shapes_of_one_picture(found):
    assert shapes(found) == sorted(WHOLE + LAST)
    assert found.macs == sum(rows * inner * columns for rows, inner, columns in WHOLE + LAST)


def test_a_tower_in_fp32_has_none():
    with pytest.raises(ValueError, match=r"image\.onnx has no products in 8 bits"):
        Products(GOLDEN / "tiny-clip" / "image.onnx")


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("pictures", [1, 3])
def test_each_product_runs_once_and_nothing_else_does(
    found, folder, tmp_path, monkeypatch, integer, pictures
):
    files = sorted(folder.iterdir())

    def profiled(path, threads):
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(tmp_path / "profile")
        return onnxruntime.InferenceSession(str(path), options)

    monkeypatch.setattr(products, "open_session", profiled)
    session, feed = found.session(1, pictures=pictures, integer=integer)
    session.run(None, feed)
    with open(session.end_profiling()) as profile:
        events = [event["args"] for event in json.load(profile) if event["cat"] == "Node"]
    ran = [event for event in events if event["op_name"] in (products.DYNAMIC, products.INTEGER)]
    seen = []
    for event in ran:
        given, made = event["input_type_shape"][0], event["output_type_shape"][0]
        seen.append((*next(iter(given.values())), next(iter(made.values()))[1]))
    assert sorted(seen) == sorted((pictures * rows, *rest) for rows, *rest in shapes(found))
    assert {event["op_name"] for event in events} <= {products.DYNAMIC, products.INTEGER, "Size"}
    assert not integer or {event["op_name"] for event in ran} == {products.INTEGER}
    assert sorted(folder.iterdir()) == files


def test_the_least_time_of_each_counts_and_all_take_turns(monkeypatch):
    monkeypatch.setattr(measure, "WARM", 1)
    clock, turns = [0.0], []

    def work(name, seconds):
        left = iter(seconds)

        def run():
            turns.append(name)
            clock[0] += next(left)

        return run

    works = [work("tower", [9, 4, 8]), work("limit", [9, 3, 4]), work("integer", [9, 2, 1])]
    timed = measure.in_turns("two", works, 2, lambda: clock[0], pictures=2)
    assert turns == ["tower", "limit", "integer"] * 3
    assert (timed.tower, timed.limit, timed.integer) == (2, 1.5, 0.5)
    assert timed.ratio == (0.75 + 0.5) / 2


def test_a_small_run_has_all_figures_and_a_table(folder, monkeypatch):
    monkeypatch.setattr(stages, "SIZES", {"64 x 48": ((64, 48), 1)})
    level = measure.measure(folder, 1)
    assert level["products"] == len(WHOLE + LAST)
    assert len(level["vector"]) == 40
    assert [case["name"] for case in level["cases"]][-1] == f"{MAX_BATCH} pictures, each on a core"
    assert min(case["tower"] for case in level["cases"]) > 0
    ms = {"decode": 1.0, "preprocess": 1.5, "thumbnail": 3.5, "facts": 2.0, "tower": 7.0}
    assert set(level["stages"]["64 x 48"]["ms"]) == set(ms)
    level["stages"]["64 x 48"]["ms"] = ms
    slow, fast = (
        {**case, "limit": share * case["tower"]}
        for case, share in ((level["cases"][0], 0.7), (level["cases"][2], 0.9))
    )
    level["cases"] = [slow, level["cases"][1], fast]
    found = {"levels": {"AVX2": level}, "left out": {"AVX": "it is old"}, "load": [1, 2]}
    text = report.table({**found, "cosines": [1.0]})
    assert "| 70.0% | 75%, missed by 5.0% |" in text
    assert "| 90.0% | 85%, met |" in text
    assert "| 15.0 | 40% | at most 30%, missed by 10.0% |" in text
    assert "AVX was left out: it is old" in text


def test_levels_are_those_of_the_processor_the_best_first(tmp_path, monkeypatch):
    monkeypatch.setattr(instructions, "CPU_INFO", tmp_path / "cpuinfo")
    assert levels() == []
    (tmp_path / "cpuinfo").write_text("model : 1\nflags : sse2 avx2 fma\nflags : avx512f\n")
    assert [level.name for level in levels()] == ["AVX2"]


@pytest.mark.parametrize("level", LEVELS[1:], ids=lambda level: level.name)
def test_a_copy_differs_in_one_place_and_only_of_a_known_build(level, tmp_path, monkeypatch):
    package = tmp_path / "installed"
    (package / "capi").mkdir(parents=True)
    (package / "__init__.py").write_text("one = 1")
    library = package / "capi" / "onnxruntime_pybind11_state.so"
    library.write_bytes(b"before" + level.code + b"after")
    monkeypatch.setattr(instructions, "installed", lambda: package)
    copy = limited(level, tmp_path / "copy") / "onnxruntime"
    assert (copy / "__init__.py").read_text() == "one = 1"
    assert (copy / "capi" / library.name).read_bytes() == b"before" + level.change + b"after"
    assert len(level.code) == len(level.change)
    library.write_bytes(2 * level.code)
    with pytest.raises(UnknownBuild, match="another way"):
        limited(level, tmp_path / "second")
