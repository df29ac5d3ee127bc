"""clip-retrieval: its index with its defaults, its back end's search, its inference. In PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.given import LIMIT, Given
from benchmarks.peers.sides.auto import AVAILABLE, EFFORTS, MOST, opened

__all__ = ["EFFORTS", "build", "open_side"]

BATCH, WORKERS = 256, 4  # its defaults
_LIBRARIES: list[Any] = []  # an operator exists as long as its library


def without_cuda() -> None:
    """Let torchvision's wheel, which is for CUDA, be imported with torch for the CPU: it looks for
    these operators. CLIP uses none of them."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARIES.append(library)


def build(given: Given) -> None:
    without_cuda()
    import pandas
    from clip_retrieval.clip_index import quantize

    folder = given.own("clipr")
    (folder / "metadata").mkdir(exist_ok=True)
    names = pandas.DataFrame({"url": [f"photos/{row}.jpg" for row in range(given.photos)]})
    names.to_parquet(folder / "metadata" / "metadata_0.parquet")
    quantize(str(given.vectors_file.parent), str(folder), "image", MOST, AVAILABLE, None)


def open_side(what: str, given: Given, effort: int | None) -> Callable[[int], Any]:
    without_cuda()
    if what == "search":
        return _search(given, effort)
    if what == "photos":
        return _photos(given)
    from clip_retrieval.clip_back import KnnService

    resource = _resource(given, effort)
    service = KnnService(clip_resources={"photos": resource})
    texts = given.texts
    if what == "answer":
        return lambda number: service.query(
            text_input=texts[number % len(texts)], num_images=LIMIT, num_result_ids=LIMIT
        )
    nothing = dict.fromkeys(("text_input", "image_input", "image_url_input", "embedding_input"))
    rest = {"use_mclip": False, "aesthetic_score": None, "aesthetic_weight": None}
    if what == "text":
        return lambda number: service.compute_query(
            resource, **{**nothing, "text_input": texts[number % len(texts)]}, **rest
        )
    import base64

    pictures = [base64.b64encode(path.read_bytes()).decode() for path in given.picture_paths]
    return lambda number: service.compute_query(
        resource, **{**nothing, "image_input": pictures[number % len(pictures)]}, **rest
    )


def _search(given: Given, effort: int | None) -> Callable[[int], list[int]]:
    from clip_retrieval.clip_back import ClipResource, KnnService

    fields = dict.fromkeys(ClipResource.__dataclass_fields__)
    fields["image_index"] = opened(str(given.own("clipr") / "image.index"), effort)
    resource = ClipResource(**fields)
    service = KnnService(clip_resources={"photos": resource})
    queries = given.queries()

    def search(number: int) -> list[int]:
        number %= len(queries)
        query = queries[number : number + 1]
        _, rows = service.knn_search(query, "image", LIMIT, resource, False, False, False)
        return [int(row) for row in rows]

    return search


def _resource(given: Given, effort: int | None) -> Any:
    """Model and index, loaded as `clip-retrieval back` loads them, without what it downloads."""
    from clip_retrieval.clip_back import ClipOptions, load_clip_index

    fields = dict.fromkeys(ClipOptions.__dataclass_fields__, False)
    options = ClipOptions(
        **{
            **fields,
            "indice_folder": str(given.own("clipr")),
            "clip_model": f"hf_clip:{given.checkpoint}",
            "columns_to_return": ["url"],
        }
    )
    resource = load_clip_index(options)
    if effort is not None:
        resource.image_index = opened(str(given.own("clipr") / "image.index"), effort)
    return resource


def _photos(given: Given) -> Callable[[int], Any]:
    from all_clip import load_clip
    from clip_retrieval.clip_inference.mapper import ClipMapper
    from clip_retrieval.clip_inference.reader import FilesReader

    name = f"hf_clip:{given.checkpoint}"
    _, preprocess, tokenizer = load_clip(clip_model=name, use_jit=False)
    mapper = ClipMapper(True, False, False, False, name, False, "")
    many = str(Path(given.many))

    def encode(_: int) -> int:
        reader = FilesReader(
            lambda keys: keys, preprocess, tokenizer, many, BATCH, WORKERS, False, True
        )
        return sum(len(mapper(batch)["image_embs"]) for batch in reader)

    return encode
