"""The command from a checkpoint to a bundle that is in use, as a person calls it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmarks.random_clip import CLIP_VOCABULARY, clip_tokenizer, tiny_clip, vit_b32
from clipsearch.model.bundle import FILES, current_space, read_bundle
from clipsearch.model.encoder import Encoder
from clipsearch.model.pointer import current_pointer
from clipsearch.storage.gcs import GcsBucket
from clipsearch.storage.local import FolderBucket
from clipsearch.text import plain
from model_export import ROOT
from model_export.checkpoint import load_checkpoint
from model_export.exported import is_current
from tests.export.checkpoints import save_new, save_old
from tests.export.command import main


def other_clip() -> CLIPModel:
    """As laion's: gelu, projections of another width; odd sizes of patches and pictures."""
    torch.manual_seed(3)
    text = CLIPTextConfig(
        vocab_size=700,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=33,
        hidden_act="gelu",
        bos_token_id=698,
        eos_token_id=699,
    )
    vision = CLIPVisionConfig(
        hidden_size=72,
        intermediate_size=200,
        num_hidden_layers=3,
        num_attention_heads=6,
        image_size=70,
        patch_size=14,
        hidden_act="gelu",
    )
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=48
    )
    return CLIPModel(config).eval()


def run(*arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "export", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_vit_b32_of_full_size_from_its_folder_to_the_index(tmp_path):
    checkpoint = save_new(tmp_path / "vit-b32", vit_b32(), clip_tokenizer(CLIP_VOCABULARY))
    out, index = tmp_path / "models" / "vit-b32", tmp_path / "index"
    code, printed, errors = run(checkpoint, "--out", out, "--to", index.as_uri())
    assert (code, errors) == (0, "")
    bundle = read_bundle(out).bundle
    assert (bundle.name, bundle.dim, bundle.image_size) == ("vit-b32", 512, 224)
    assert bundle.precision == {"image": "int8", "text": "int8"}
    report = bundle.report
    for tower in ("text", "image"):
        assert report[tower]["fp32_max_difference"] < 1e-4
        assert report[tower]["least_cosine"] > 0.99
        assert report[tower]["noise"] < 0.15
        assert report["speed"][f"{tower}_ms"] > 0
    for ranking in report["ranking"].values():
        assert ranking["overlap"] > 0.9
    assert sum(bundle.sizes.values()) < 170e6
    for line in ("least cosine", "text to image", "logit scale", "load, to the first vector"):
        assert line in printed
    assert f"space {bundle.space} is current" in printed
    assert current_space(FolderBucket(index)) == bundle.space
    assert is_current(out, str(checkpoint))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("save", [save_new, save_old])
def test_a_small_clip_with_other_sizes_in_the_layouts_of_all_times(tmp_path, save, precision):
    model = other_clip()
    checkpoint = save(tmp_path / "other", model, clip_tokenizer(700))
    out = tmp_path / "out"
    assert main([str(checkpoint), "--out", str(out), "--precision", precision]) == 0
    bundle = read_bundle(out).bundle
    assert (bundle.dim, bundle.image_size, bundle.context_length) == (48, 70, 33)
    report = bundle.report
    assert report["text"]["tokens_equal"] == report["text"]["samples"]
    assert report["image"]["pixels_equal"] == report["image"]["samples"]
    for tower in ("text", "image"):
        assert report[tower]["fp32_max_difference"] < 1e-4
        if precision == "fp32":
            assert report[tower]["max_difference"] < 1e-4
    assert report["logit_scale"] == pytest.approx(model.logit_scale.exp().item())


def test_each_tower_may_have_its_own_precision(tmp_path):
    checkpoint = save_new(tmp_path / "tiny", tiny_clip())
    arguments = ("--precision", "int8", "--text-precision", "fp32")
    assert main([str(checkpoint), "--out", str(tmp_path / "out"), *arguments]) == 0
    precision = read_bundle(tmp_path / "out").bundle.precision
    assert precision == {"image": "int8", "text": "fp32"}


def with_an_outlier() -> CLIPModel:
    """A unit of the image tower that is a thousand times the others and hardly counts: rounded
    by its range, the others are nothing."""
    model = tiny_clip()
    for layer in model.vision_model.encoder.layers:
        layer.mlp.fc1.bias.data[0] = 1000
        layer.mlp.fc2.weight.data[:, 0] = 1e-6
    return model


def test_a_unit_out_of_scale_does_not_cost_the_tower_its_8_bits(tmp_path, capsys):
    checkpoint = save_new(tmp_path / "outlier", with_an_outlier())
    assert main([str(checkpoint), "--out", str(tmp_path / "out")]) == 0
    bundle = read_bundle(tmp_path / "out").bundle
    assert bundle.precision == {"image": "int8", "text": "int8"}
    assert bundle.report["image"]["noise"] < 0.1
    assert "matrices in 8 bits" in capsys.readouterr().out


@pytest.fixture
def without_remedies(monkeypatch):
    """8 bits as they are: no smoothing, and no matrix by itself in fp32."""
    monkeypatch.setattr("model_export.eight_bits.recipe.smooth", lambda *_: {})
    monkeypatch.setattr("model_export.eight_bits.recipe.BOUND", 10)


@pytest.mark.usefixtures("without_remedies")
def test_a_tower_that_8_bits_would_spoil_stays_in_fp32(tmp_path, capsys):
    checkpoint = save_new(tmp_path / "outlier", with_an_outlier())
    assert main([str(checkpoint), "--out", str(tmp_path / "out")]) == 0
    bundle = read_bundle(tmp_path / "out").bundle
    assert bundle.precision == {"image": "fp32", "text": "int8"}
    assert bundle.report["image"]["least_cosine"] > 0.9999
    assert "once more, with fp32 for: image" in capsys.readouterr().out


@pytest.mark.usefixtures("without_remedies")
def test_8_bits_that_were_asked_for_and_spoil_a_tower_are_refused(tmp_path, capsys):
    checkpoint = save_new(tmp_path / "outlier", with_an_outlier())
    out = tmp_path / "out"
    assert main([str(checkpoint), "--out", str(out), "--image-precision", "int8"]) == 1
    assert not (out / "model.json").exists()
    error = capsys.readouterr().err
    assert "image in int8" in error
    assert "no bundle was written" in error


def test_a_bundle_is_replaced_and_is_no_longer_current_when_the_checkpoint_changes(tmp_path):
    checkpoint, out = save_new(tmp_path / "tiny", tiny_clip()), tmp_path / "out"
    assert main([str(checkpoint), "--out", str(out)]) == 0
    before = read_bundle(out).bundle.space
    assert is_current(out, str(checkpoint))
    tiny_clip(seed=1).save_pretrained(checkpoint)
    assert not is_current(out, str(checkpoint))
    assert main([str(checkpoint), "--out", str(out)]) == 0
    assert read_bundle(out).bundle.space != before
    assert is_current(out, str(checkpoint))


def test_nothing_of_this_machine_is_published(tmp_path):
    checkpoint = save_new(tmp_path / "tiny", tiny_clip())
    index = tmp_path / "index"
    assert main([str(checkpoint), "--out", str(tmp_path / "out"), "--to", index.as_uri()]) == 0
    published = [path for path in index.rglob("*") if path.is_file()]
    assert {path.name for path in published} >= {"model.json", "image.onnx", "tokenizer.json"}
    assert not any(path.name == "source.json" for path in published)
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in published)


def test_the_second_model_of_an_index_is_filled_first(tmp_path, capsys):
    index = tmp_path / "index"
    bucket = FolderBucket(index)
    checkpoint = save_new(tmp_path / "tiny", tiny_clip())
    spaces: list[str] = []
    for precision, more in (("fp32", []), ("int8", []), ("int8", ["--switch-now"])):
        out = tmp_path / precision
        to = ["--precision", precision, "--out", str(out), "--to", index.as_uri(), *more]
        assert main([str(checkpoint), *to]) == 0
        space = read_bundle(out).bundle.space
        printed = capsys.readouterr().out
        if precision == "fp32" or more:
            assert f"space {space} is current" in printed
            assert current_space(bucket) == space
        else:
            assert f"clipsearch reconcile --plan --space {space} --index {bucket.url}" in printed
            assert f"clipsearch switch {space}" in printed
            assert current_pointer(bucket).filling == space
            assert current_space(bucket) == spaces[0]
        spaces.append(space)
    assert spaces[0] != spaces[1] == spaces[2]


def test_switching_at_once_needs_a_bucket(capsys):
    assert main(["somebody/clip", "--switch-now"]) == 2
    assert "--switch-now needs --to" in capsys.readouterr().err


def test_it_can_be_put_into_a_bucket_of_the_cloud(tmp_path, gcs_double, capsys):
    checkpoint = save_new(tmp_path / "tiny", tiny_clip())
    arguments = [str(checkpoint), "--out", str(tmp_path / "out"), "--to"]
    assert main([*arguments, "gs://photos/an index"]) == 0
    bucket = GcsBucket("gs://photos/an index")
    assert current_space(bucket) == read_bundle(tmp_path / "out").bundle.space
    bucket.close()
    printed = capsys.readouterr().out
    assert all(f"/{file}, 0." in printed for file in FILES)
    assert main([*arguments, "gs://none"]) == 1
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert "none" in line
    assert not printed.out  # found out before the long work


def test_a_broken_export_is_a_table_and_one_line(tmp_path, monkeypatch, capsys):
    from model_export import write_bundle
    from model_export.towers import clip

    checkpoint, out = save_old(tmp_path / "tiny", tiny_clip()), tmp_path / "out"
    real = clip.export_image
    monkeypatch.setattr(
        write_bundle,
        "export_image",
        lambda config, weights, path, mean, std, precision: real(
            config, weights, path, std, mean, precision
        ),
    )
    assert main([str(checkpoint), "--out", str(out), "--precision", "int8"]) == 1
    printed = capsys.readouterr()
    assert "least cosine" in printed.out
    [line] = printed.err.splitlines()
    assert "the export differs from the checkpoint: image in fp32: a value differs by" in line
    assert not out.exists()


@pytest.mark.parametrize("save", [save_new, save_old])
def test_preprocessing_is_read_as_transformers_reads_it(tmp_path, save):
    folder = save(tmp_path / "tiny", tiny_clip())
    ours = load_checkpoint(folder, "tiny").preprocessing
    theirs = CLIPImageProcessorPil.from_pretrained(folder)
    assert (ours.size, ours.mean, ours.std) == (
        *(theirs.size["shortest_edge"], tuple(theirs.image_mean), tuple(theirs.image_std)),
    )


# --- tokens -------------------------------------------------------------------------------

CONTROL = st.characters(categories=["Cc", "Cf", "Zs", "Zl", "Zp"])
PIECES = st.sampled_from(
    ["<|endoftext|>", "<|startoftext|>", "</w>", "'s", "a", "\0", "\uff21", "e\u0301", "🐱"]
)
TEXTS = st.one_of(
    st.text(),
    st.text(CONTROL),
    st.lists(PIECES | st.text(max_size=3)).map("".join),
    st.text(max_size=8).map(lambda text: text * 60),
)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    """transformers' own, from the checkpoint, and the encoder with the bundle's."""
    folder = tmp_path_factory.mktemp("tokens")
    checkpoint = save_old(folder / "tiny", tiny_clip())
    assert main([str(checkpoint), "--out", str(folder / "out"), "--precision", "fp32"]) == 0
    reference = CLIPTokenizer.from_pretrained(checkpoint)
    return reference, Encoder.from_folder(folder / "out")


@settings(max_examples=500, deadline=None)
@given(text=TEXTS)
def test_tokens_are_transformers_tokens_whatever_the_text(tokenizers, text):
    reference, encoder = tokenizers
    length = encoder.bundle.context_length
    # a typed special token is text
    whole = reference([plain(text)], split_special_tokens=True)["input_ids"]
    expected = [row if len(row) <= length else [*row[: length - 1], row[-1]] for row in whole]
    assert encoder.tokenize([text]) == (expected, [len(whole[0]) > length])
