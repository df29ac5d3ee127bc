"""Which files of a repository are the weights, and which model a name is."""

import json
import re

import pytest

from model_export import ROOT
from model_export.errors import HubError, UsageError
from model_export.known import DEFAULT_MODEL, KNOWN, hub_id

OPEN_CLIP = {"open_clip_config.json": "{}"}
TIMM = {"config.json": json.dumps({"architecture": "vit_base_patch32_clip_224"}), **OPEN_CLIP}


SAFE, PICKLE = "model.safetensors", "pytorch_model.bin"
OPEN_SAFE, OPEN_PICKLE = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"


@pytest.mark.parametrize(
    ("there", "files", "chosen"),
    [
        ([SAFE, PICKLE], {}, SAFE),
        ([PICKLE], {}, PICKLE),
        ([PICKLE, OPEN_PICKLE], OPEN_CLIP, PICKLE),
        ([PICKLE, OPEN_SAFE], OPEN_CLIP, PICKLE),  # transformers' layout, if it is one
        ([SAFE, OPEN_SAFE], OPEN_CLIP, SAFE),
        # timm's: config.json is not of transformers, and neither are the weights beside it
        ([SAFE, OPEN_SAFE], TIMM, OPEN_SAFE),
        ([PICKLE, OPEN_PICKLE], TIMM, OPEN_PICKLE),
    ],
)
def test_one_kind_of_weights_is_downloaded(hub, publish, get, there, files, chosen):
    publish(*there, **files)
    folder = get().folder
    assert [name for name, _, _ in hub.sent] == [chosen]
    assert {path.name for path in folder.iterdir()} & set(there) == {chosen}


def test_a_repository_of_open_clip_needs_no_files_of_transformers(publish, get):
    lacking = ("config.json", "preprocessor_config.json")
    publish("open_clip_model.safetensors", leave_out=lacking, **OPEN_CLIP)
    assert {path.name for path in get().folder.iterdir()} == {
        *("open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"),
    }


@pytest.mark.parametrize(
    ("weights", "lacks", "said"),
    [
        ([], [], "has no weights (model.safetensors, "),
        (["open_clip_model.safetensors"], [], "has no weights (model.safetensors, "),
        (["model.safetensors"], ["tokenizer.json"], "has no tokenizer (tokenizer.json, "),
        (["model.safetensors"], ["preprocessor_config.json"], "has no preprocessing (preproc"),
        (["model.safetensors"], ["config.json"], "has no config.json and no open_clip_config.json"),
    ],
)
def test_what_a_repository_lacks_is_one_line(hub, publish, get, weights, lacks, said):
    publish(*weights, leave_out=lacks)
    with pytest.raises(HubError) as error:
        get()
    assert str(error.value).startswith(f"someone/clip {said}")
    assert hub.sent == []


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ("ViT-B/32", "openai/clip-vit-base-patch32"),
        ("ViT-B-32", "openai/clip-vit-base-patch32"),
        ("vit-b-32", "openai/clip-vit-base-patch32"),
        ("openai:ViT-B/32", "openai/clip-vit-base-patch32"),
        ("openai/ViT-B-32", "openai/clip-vit-base-patch32"),
        ("ViT-B-32::openai", "openai/clip-vit-base-patch32"),
        ("ViT-B-32__openai", "openai/clip-vit-base-patch32"),
        ("ViT-B-32-quickgelu", "openai/clip-vit-base-patch32"),
        ("ViT-B-32.pt", "openai/clip-vit-base-patch32"),
        ("ViT-B/16", "openai/clip-vit-base-patch16"),
        ("ViT-L/14", "openai/clip-vit-large-patch14"),
        ("ViT-L/14@336px", "openai/clip-vit-large-patch14-336"),
        ("ViT-L-14-336", "openai/clip-vit-large-patch14-336"),
        ("openai:ViT-L/14@336px", "openai/clip-vit-large-patch14-336"),
        ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("someone/ViT-B-32", "someone/ViT-B-32"),
    ],
)
def test_openais_own_names_are_ids_of_the_hub(given, model):
    assert hub_id(given) == model


@pytest.mark.parametrize("given", ["RN50", "RN50x64", "openai:RN101"])
def test_a_resnet_is_refused_by_name(given):
    with pytest.raises(UsageError, match=f"{given} is a ResNet"):
        hub_id(given)


def test_the_default_is_pinned_with_a_digest():
    known = KNOWN[DEFAULT_MODEL]
    assert known.revision
    assert known.sha256


@pytest.mark.parametrize("known", KNOWN.values(), ids=lambda known: known.model)
def test_what_is_known_has_its_form(known):
    assert known.family
    digests = [known.revision or "0" * 40, *known.sha256.values()]
    assert [len(bytes.fromhex(digest)) for digest in digests] == [20] + [32] * len(known.sha256)


def test_the_docs_have_the_pins():
    document = (ROOT / "docs" / "models.md").read_text()
    row = r"^\| `([\w./-]+)` \| ([^|]+) \| (`\w{12}`|newest) \| (pinned|of the hub) \|$"
    rows = re.findall(row, document, re.MULTILINE)
    assert rows == [
        (
            known.model,
            known.family,
            f"`{known.revision[:12]}`" if known.revision else "newest",
            "pinned" if known.sha256 else "of the hub",
        )
        for known in KNOWN.values()
    ]
