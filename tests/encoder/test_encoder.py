"""Texts and pictures to vectors: as PyTorch gives them, built lazily, once, leaving nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import DamagedObject
from clipsearch.images.levels import sixteen_to_eight
from clipsearch.model import bundle as bundle_module
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.encoder import Encoder
from clipsearch.storage.local import FolderBucket
from model_export.samples import pictures, texts
from tests.encoder.conftest import GOLDEN
from tests.support.slow_numpy import SLOW_NUMPY

IMAGES = [
    sixteen_to_eight(sample.image) if sample.image.mode == "I;16" else sample.image
    for sample in pictures()
]
FUNCTIONS = Path(bundle_module.__file__).parents[2]


def cosines(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (vectors * others).sum(1)


# --- the numbers --------------------------------------------------------------------------


def test_the_tokens_are_those_of_the_reference(encoder, golden):
    rows, truncated = encoder.tokenize(texts())
    length = encoder.bundle.context_length
    padded = [row + row[-1:] * (length - len(row)) for row in rows]
    assert padded == golden["tokens"].tolist()
    assert any(truncated)
    assert not all(truncated)


def test_text_vectors_are_those_of_pytorch(encoder, golden):
    vectors = encoder.encode_text(texts()).vectors
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, golden["text"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_image_vectors_are_those_of_pytorch(encoder, golden):
    vectors = encoder.encode_image(IMAGES)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, golden["image"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_in_8_bits_the_vectors_are_close(small_encoder, golden):
    """Random weights multiply what rounding changes; a trained model stays above 0.999."""
    for vectors, reference in (
        (small_encoder.encode_text(texts()).vectors, golden["text"]),
        (small_encoder.encode_image(IMAGES), golden["image"]),
    ):
        assert np.median(cosines(vectors, reference)) > 0.998
        assert cosines(vectors, reference).min() > 0.97


def test_logits_are_those_of_pytorch_at_the_checkpoints_own_scale(encoder, golden_logits):
    logits = encoder.logits(IMAGES, texts())
    assert logits.per_image.dtype == logits.per_text.dtype == np.float32
    # the scale of this checkpoint is 14: an error of 1e-5 in a cosine
    for found, name in ((logits.per_image, "per_image"), (logits.per_text, "per_text")):
        np.testing.assert_allclose(found, golden_logits[name], rtol=0, atol=2e-4)
    assert logits.truncated == encoder.encode_text(texts()).truncated


def test_logits_of_nothing_have_no_rows(encoder):
    logits = encoder.logits([], texts()[:3])
    assert (logits.per_image.shape, logits.per_text.shape) == ((0, 3), (3, 0))
    logits = encoder.logits(IMAGES[:2], [])
    assert (logits.per_image.shape, logits.per_text.shape) == ((2, 0), (0, 2))


# In 8 bits a last bit of a float may turn a whole step, on some processors.
@pytest.mark.parametrize(("which", "atol"), [("encoder", 1e-6), ("small_encoder", 0.003)])
def test_a_batch_gives_what_one_by_one_gives(which, atol, request):
    encoder = request.getfixturevalue(which)
    together, alone = encoder.encode_text(texts()), [encoder.encode_text([t]) for t in texts()]
    single = np.concatenate([embedding.vectors for embedding in alone])
    np.testing.assert_allclose(together.vectors, single, rtol=0, atol=atol)
    assert together.truncated == [embedding.truncated[0] for embedding in alone]
    images = IMAGES * 2  # more than go through in one batch
    single = np.concatenate([encoder.encode_image([image]) for image in images])
    np.testing.assert_allclose(encoder.encode_image(images), single, rtol=0, atol=atol)


def test_nothing_gives_no_rows(encoder):
    embedding = encoder.encode_text([])
    assert embedding.vectors.shape == encoder.encode_image([]).shape == (0, encoder.dim)
    assert embedding.vectors.dtype == encoder.encode_image([]).dtype == np.float32
    assert embedding.truncated == []


def test_a_text_is_cut_exactly_where_the_context_ends(encoder):
    length = encoder.bundle.context_length
    letters = [" ".join("x" * count) for count in (length - 3, length - 2, length - 1, 500)]
    rows, truncated = encoder.tokenize(letters)
    assert [len(row) for row in rows] == [length - 1, length, length, length]
    assert truncated == [False, False, True, True]
    assert len({row[-1] for row in rows}) == 1  # the end token stays
    vectors = encoder.encode_text(letters).vectors
    np.testing.assert_allclose(vectors[1], vectors[2], atol=1e-6)


def test_truncation_and_padding_in_tokenizer_json_are_not_used(bundle_folder, encoder):
    """Those of openai/clip-vit-base-patch32 ask for padding, others for a cut at 64."""
    import tokenizers

    path = bundle_folder / "tokenizer.json"
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=20)
    tokenizer.save(str(path))
    reseal(bundle_folder)
    rows, truncated = Encoder.from_folder(bundle_folder).tokenize(texts())
    assert (rows, truncated) == encoder.tokenize(texts())


# --- when sessions are built --------------------------------------------------------------


def test_the_text_path_never_loads_the_image_tower_nor_the_other_way_round(bundle_folder):
    for file in bundle_folder.glob("image.*"):
        file.unlink()
    encoder = Encoder.from_folder(bundle_folder)
    assert encoder.loaded == set()
    encoder.encode_text(["a red car"])
    assert encoder.loaded == {"text"}
    with pytest.raises(DamagedObject, match=r"image\.onnx.* missing"):
        encoder.encode_image([Image.new("RGB", (9, 9))])
    assert encoder.loaded == {"text"}


def test_the_image_path_never_loads_the_text_tower(bundle_folder):
    for file in ("text.onnx", "text.onnx.data", "tokenizer.json"):
        (bundle_folder / file).unlink()
    encoder = Encoder.from_folder(bundle_folder)
    encoder.encode_image([Image.new("RGB", (9, 9))])
    assert encoder.loaded == {"image"}


def test_eight_threads_build_one_session(bundle_folder, monkeypatch):
    import onnxruntime

    built = []
    real = onnxruntime.InferenceSession

    def counting(path, *args, **kwargs):
        built.append(path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counting)
    encoder, barrier, vectors = Encoder.from_folder(bundle_folder), threading.Barrier(8), []

    def work():
        barrier.wait()
        vectors.append(encoder.encode_text(["a red car"]).vectors)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len(vectors) == 8
    assert all(np.array_equal(one, vectors[0]) for one in vectors)


def test_a_session_of_bytes_is_never_made(bundle_folder, monkeypatch):
    import onnxruntime

    real, given = onnxruntime.InferenceSession, []

    def noting(path_or_bytes, *args, **kwargs):
        given.append(path_or_bytes)
        return real(path_or_bytes, *args, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", noting)
    Encoder.from_folder(bundle_folder).encode_text(["a"])
    assert [type(model) for model in given] == [str]


def test_importing_and_opening_an_encoder_imports_nothing_heavy():
    code = """
import sys
from pathlib import Path
from clipsearch.model.encoder import Encoder
Encoder.from_folder(Path(sys.argv[1]))
heavy = {"numpy", "PIL", "onnxruntime", "tokenizers"} & set(sys.modules)
assert not heavy, heavy
"""
    arguments = [sys.executable, "-c", code, str(GOLDEN / "tiny-clip")]
    subprocess.run(arguments, cwd=FUNCTIONS, check=True)


def test_texts_need_no_pillow_and_pictures_no_tokenizer():
    code = """
import sys
from pathlib import Path
from clipsearch.model.encoder import Encoder
encoder = Encoder.from_folder(Path(sys.argv[1]))
encoder.encode_text(["a"])
assert "PIL" not in sys.modules
"""
    arguments = [sys.executable, "-c", code, str(GOLDEN / "tiny-clip")]
    subprocess.run(arguments, cwd=FUNCTIONS, check=True)


def test_two_threads_may_begin_with_a_cold_process():
    # ONNX Runtime finds numpy half done if another thread is importing it: on a slow disk, and
    # not every time. So several processes.
    code = """
import sys, threading
from pathlib import Path
from PIL import Image
from clipsearch.model.encoder import Encoder

encoder = Encoder.from_folder(Path(sys.argv[1]))
done = []
works = [
    lambda: done.append(encoder.encode_text(["a"])),
    lambda: done.append(encoder.encode_image([Image.new("RGB", (8, 8))])),
]
threads = [threading.Thread(target=work) for work in works]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 2
"""
    arguments = [sys.executable, "-c", SLOW_NUMPY + code, str(GOLDEN / "tiny-clip")]
    processes = [subprocess.Popen(arguments, cwd=FUNCTIONS) for _ in range(8)]
    assert [process.wait() for process in processes] == [0] * len(processes)


# --- what it leaves behind ----------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_downloaded_files_are_gone_once_the_sessions_exist(bundle_folder, tmp_path, temporary):
    bucket = FolderBucket(tmp_path / "index")
    publish_bundle(bundle_folder, bucket)
    encoder = Encoder.from_bucket(bucket)
    for _ in range(2):
        encoder.encode_text(["a red car"])
        encoder.encode_image([Image.new("RGB", (30, 40), "red")])
        assert list(temporary.iterdir()) == []
    if sys.platform == "linux":  # nor does the process hold on to them
        lines = Path("/proc/self/maps").read_text().splitlines()
        lines += [str(link.resolve()) for link in Path("/proc/self/fd").iterdir()]
        held = {line.split("/")[-1] for line in lines if str(temporary) in line}
        assert held == {"text.onnx.rows (deleted)"}  # used in place, row by row


def test_a_damaged_tower_is_not_remembered(bundle_folder, tmp_path, temporary):
    root = tmp_path / "index"
    bucket = FolderBucket(root)
    space = publish_bundle(bundle_folder, bucket)
    damaged = root / "models" / space / "text.onnx.data"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    encoder = Encoder.from_bucket(bucket)
    for _ in range(2):
        with pytest.raises(DamagedObject, match=r"text\.onnx\.data.*SHA-256"):
            encoder.encode_text(["a red car"])
    assert encoder.loaded == set()
    assert list(temporary.iterdir()) == []
    damaged.write_bytes(whole)
    assert encoder.encode_text(["a red car"]).vectors.shape == (1, encoder.dim)


def reseal(folder: Path) -> None:
    """Write model.json again for files that were changed on purpose."""
    import dataclasses
    import hashlib

    bundle = bundle_module.read_bundle(folder).bundle
    files = {
        file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in bundle.files
    }
    space = bundle_module.space_of(
        files,
        dim=bundle.dim,
        context_length=bundle.context_length,
        image_size=bundle.image_size,
        mean=bundle.mean,
        std=bundle.std,
    )
    changed = dataclasses.replace(bundle, files=files, space=space)
    (folder / "model.json").write_bytes(changed.to_json())
