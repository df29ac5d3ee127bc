"""A bundle in a folder and in a bucket: published whole, checked when it is read."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from clipsearch.errors import DamagedObject, NoModel, StorageError
from clipsearch.matching import Matching, Rule
from clipsearch.model.bundle import (
    FILES,
    MODEL_JSON,
    current_space,
    load_bundle,
    publish_bundle,
    read_bundle,
    space_of,
)
from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import Tower
from clipsearch.storage.local import FolderBucket
from tests.encoder.conftest import GOLDEN
from tests.images.profiles import swapped_profile
from tests.support.buckets import HookedBucket
from tests.support.pictures import picture


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(GOLDEN / "tiny-clip", tmp_path / "one")


@pytest.fixture
def other(tmp_path):
    return shutil.copytree(GOLDEN / "tiny-clip-int8", tmp_path / "other")


def names(bucket):
    return [stat.name for stat in bucket.list("models/")]


def test_a_published_bundle_encodes_like_the_one_in_the_folder(bucket, folder):
    space = publish_bundle(folder, bucket)
    encoder, local = Encoder.from_bucket(bucket), Encoder.from_folder(folder)
    assert encoder.space == local.space == space
    assert encoder.bundle == local.bundle
    text = ["a red car"]
    assert (encoder.encode_text(text).vectors == local.encode_text(text).vectors).all()


def test_publishing_twice_changes_nothing(bucket, folder):
    space = publish_bundle(folder, bucket)
    before = [(stat.name, stat.generation) for stat in bucket.list()]
    assert publish_bundle(folder, bucket) == space
    assert [(stat.name, stat.generation) for stat in bucket.list()] == before


def test_the_same_model_with_another_report_is_the_same_space(bucket, folder):
    space = publish_bundle(folder, bucket)
    document = json.loads((folder / MODEL_JSON).read_bytes())
    document["report"] = {"measured": "again"}
    (folder / MODEL_JSON).write_text(json.dumps(document))
    assert publish_bundle(folder, bucket) == space


def test_the_last_one_published_is_current(bucket, folder, other):
    first, second = publish_bundle(folder, bucket), publish_bundle(other, bucket)
    assert first != second
    assert current_space(bucket) == second
    assert load_bundle(bucket).bundle.space == second
    assert load_bundle(bucket, first).bundle.space == first
    publish_bundle(folder, bucket)
    assert current_space(bucket) == first
    pointers = [name for name in names(bucket) if "/current/" in name]
    assert pointers == [f"models/current/{number:012d}.json" for number in (1, 2, 3)]


def test_a_bundle_can_be_put_beside_the_current_one(bucket, folder, other):
    first = publish_bundle(folder, bucket)
    second = publish_bundle(other, bucket, make_current=False)
    assert current_space(bucket) == first
    assert load_bundle(bucket, second).bundle.space == second


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"spaces": 1}', b'{"space": null}', b'{"space": "../x"}', b"[" * 100_000],
    ids=["empty", "cut", "other", "null", "path", "nested"],
)
def test_a_damaged_pointer_is_named_and_healed_by_the_next(bucket, folder, other, data):
    publish_bundle(folder, bucket)
    bucket.create("models/current/000000000002.json", data)
    with pytest.raises(DamagedObject, match="000000000002"):
        current_space(bucket)
    space = publish_bundle(other, bucket)
    assert current_space(bucket) == space
    assert "models/current/000000000003.json" in names(bucket)


def test_a_pointer_that_none_could_follow_is_not_ours(bucket, folder):
    bucket.create("models/current/999999999999.json", b'{"space": "0123456789ab"}')
    space = publish_bundle(folder, bucket)
    assert current_space(bucket) == space


def test_without_a_model_it_says_so(bucket, tmp_path):
    with pytest.raises(NoModel, match="current model"):
        Encoder.from_bucket(bucket)
    with pytest.raises(NoModel, match="0123456789ab"):
        Encoder.from_bucket(bucket, "0123456789ab")
    with pytest.raises(NoModel, match=r"model\.json"):
        Encoder.from_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("creates", range(len(FILES) + 3))
def test_an_interrupted_upload_is_never_seen_and_can_be_repeated(bucket, folder, creates):
    left = iter(range(creates))

    def stop(method, name):
        if method == "create" and next(left, None) is None:
            raise StorageError("the plug was pulled")

    with pytest.raises(StorageError, match="plug"):
        publish_bundle(folder, HookedBucket(bucket, before=stop))
    with pytest.raises(NoModel):
        load_bundle(bucket)
    space = publish_bundle(folder, bucket)
    assert Encoder.from_bucket(bucket).space == space


def test_losing_the_race_for_current_means_looking_again(bucket, folder, other):
    faster = [other]

    def be_faster(method, name):
        if method == "create" and name.startswith("models/current/") and faster:
            publish_bundle(faster.pop(), bucket)

    space = publish_bundle(folder, HookedBucket(bucket, before=be_faster))
    assert not faster
    assert current_space(bucket) == space
    assert "models/current/000000000002.json" in names(bucket)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("fault", ["missing", "cut", "bit"])
def test_a_damaged_file_is_named(folder, file, fault):
    path = folder / file
    data = path.read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if fault == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    tower: Tower = "image" if file.startswith("image") else "text"
    with pytest.raises(DamagedObject) as caught, read_bundle(folder).files(tower):
        pass
    assert caught.value.name == str(path)


def test_a_damaged_bundle_is_not_published(bucket, folder):
    (folder / "image.onnx.data").write_bytes(b"")
    with pytest.raises(DamagedObject):
        publish_bundle(folder, bucket)
    assert names(bucket) == []


def test_other_bytes_under_the_same_name_in_the_bucket_are_found(bucket, folder):
    space = read_bundle(folder).bundle.space
    bucket.create(f"models/{space}/tokenizer.json", b"{}")
    with pytest.raises(DamagedObject, match=r"tokenizer\.json"):
        publish_bundle(folder, bucket)


def matching(**change):
    """The field of model.json, with a change in the numbers for texts."""
    rule = {"slope": 10.0, "offset": 0.2}
    return {"text": {**rule, **change}, "picture": rule, "fitted": ""}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"dim": 41}, "its contents give"),
        ({"mean": [0.5, 0.5, 0.5]}, "its contents give"),
        ({"image_size": 32}, "its contents give"),
        ({"context_length": 77}, "its contents give"),
        ({"std": [0.5, 0.5]}, "not a model.json"),
        ({"files": {}}, "not a model.json"),
        ({"files": {"../text.onnx": {"sha256": "", "bytes": 0}}}, "not a model.json"),
        ({"space": "0123456789ab"}, "its contents give"),
        ({"logit_scale": float("nan")}, "logit_scale nan"),
        ({"logit_scale": 0}, "logit_scale 0"),
        ({"precision": {"image": "fp32"}}, "not a model.json"),
        ({"precision": {"image": "fp32", "text": "fp16"}}, "supported: .*int8"),
        ({"text_direction": [1.0]}, "text_direction has 1 numbers"),
        ({"text_direction": [0.0] * 40}, "text_direction is not a direction"),
        ({"text_direction": [float("nan")] * 40}, "text_direction is not a direction"),
        ({"text_direction": [1e300] * 40}, "text_direction is not a direction"),
        ({"text_direction": [10**400] * 40}, "not a model.json"),
        ({"text_direction": 7}, "not a model.json"),
        ({"matching": 7}, "not a model.json"),
        ({"matching": {"text": {"slope": 1, "offset": 0}}}, "not a model.json"),
        ({"matching": matching(slope=0)}, "slope 0.0, shift 0.0; must be > 0"),
        ({"matching": matching(shift=-1)}, "shift -1.0; must be > 0 and >= 0"),
        ({"matching": matching(offset=float("nan"))}, "a number that is not finite"),
        ({"matching": matching(direction=[1.0])}, "direction has 1 numbers, not"),
    ],
    ids=str,
)
def test_a_model_json_that_is_not_that_of_its_space_is_refused(folder, change, message):
    document = json.loads((folder / MODEL_JSON).read_bytes())
    (folder / MODEL_JSON).write_text(json.dumps({**document, **change}))
    with pytest.raises(DamagedObject, match=message):
        read_bundle(folder)


def test_numbers_for_matches_are_optional_and_no_part_of_the_space(folder):
    bundle = read_bundle(folder).bundle
    assert bundle.matching is None  # as in bundles of before
    text = Rule(100.0, 0.2, 0.03, (0.5,) * bundle.dim)
    numbers = Matching(text, Rule(25.0, 0.85), "captions.json")
    for wanted in (numbers, None):
        changed = dataclasses.replace(bundle, matching=wanted)
        (folder / MODEL_JSON).write_bytes(changed.to_json())
        assert read_bundle(folder).bundle == changed
        assert changed.space == bundle.space


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000],
    ids=["empty", "null", "a list", "cut off", "not UTF-8", "one fact", "nested"],
)
def test_what_is_no_model_json_is_refused(folder, data):
    (folder / MODEL_JSON).write_bytes(data)
    with pytest.raises(DamagedObject, match=r"not a model\.json"):
        read_bundle(folder)


def test_a_bundle_under_the_wrong_space_is_refused(bucket, folder):
    data = (folder / MODEL_JSON).read_bytes()
    bucket.create("models/0123456789ab/model.json", data)
    with pytest.raises(DamagedObject, match="it belongs to space"):
        load_bundle(bucket, "0123456789ab")


@pytest.mark.parametrize("file", FILES)
def test_an_incomplete_bundle_shows_in_the_listing(tmp_path, folder, file):
    bucket = FolderBucket(tmp_path / "bucket")
    space = publish_bundle(folder, bucket)
    remote = load_bundle(bucket)
    remote.check_complete()
    path = tmp_path / "bucket" / "models" / space / file
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(DamagedObject, match=r"has [\d,]+ bytes; model\.json says") as caught:
        remote.check_complete()
    assert caught.value.name == f"models/{space}/{file}"
    path.unlink()
    with pytest.raises(DamagedObject, match="missing"):
        remote.check_complete()
    path.write_bytes(data)
    remote.check_complete()


def test_bundles_of_preprocessing_1_are_read_and_decode_as_before(bundle_folder):
    """They were published before model.json said which preprocessing is theirs."""
    path = bundle_folder / MODEL_JSON
    bundle = read_bundle(bundle_folder).bundle
    facts = {name: getattr(bundle, name) for name in ("dim", "context_length", "image_size")}
    space = space_of(bundle.files, mean=bundle.mean, std=bundle.std, preprocessing=1, **facts)
    document = json.loads(path.read_bytes()) | {"space": space}
    del document["preprocessing"]
    path.write_text(json.dumps(document))
    old = Encoder.from_folder(bundle_folder)
    assert (old.space, old.bundle.preprocessing) == (space, 1)
    assert old.space != bundle.space
    decoded = old.decode(picture("PNG", "red", icc_profile=swapped_profile()))
    assert decoded.square.getpixel((5, 5)) == (255, 0, 0)
    assert decoded.thumbnail.getpixel((5, 5))[2] > 240
    document["preprocessing"] = 3
    path.write_text(json.dumps(document))
    with pytest.raises(DamagedObject, match="preprocessing 3"):
        read_bundle(bundle_folder)
