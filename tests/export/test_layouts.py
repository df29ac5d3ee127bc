"""The same weights in each layout that checkpoints come in give the same bundle, byte for byte."""

from __future__ import annotations

from benchmarks.random_clip import clip_tokenizer
from model_export.checkpoint import load_checkpoint
from model_export.write_bundle import export_bundle
from tests.export.checkpoints import clip_with_heads_of_64, save_new, save_old, save_openclip
from tests.export.models import checkpoint_of


def test_every_layout_gives_the_bundle_that_pytorch_s_arrays_give(tmp_path):
    model, tokenizer = clip_with_heads_of_64(), clip_tokenizer()
    checkpoints = {
        "memory": checkpoint_of(model, tokenizer.backend_tokenizer),
        **{
            save.__name__: load_checkpoint(save(tmp_path / save.__name__, model, tokenizer), "x")
            for save in (save_new, save_old, save_openclip)
        },
    }
    files = {
        name: export_bundle(
            checkpoint,
            tmp_path / "out" / name,
            name=name,
            precision={"image": "int8", "text": "fp32"},
        ).files
        for name, checkpoint in checkpoints.items()
    }
    assert len(files) == 4
    for name, digests in files.items():
        assert digests == files["memory"], name
