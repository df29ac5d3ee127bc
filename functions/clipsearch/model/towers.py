"""CLIP's two towers as ONNX Runtime sessions, loaded from a folder with the bundle's files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsearch.cpus import cpus
from clipsearch.model.variants import CLIP, Variant
from clipsearch.text import plain

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    import tokenizers

    Floats = np.ndarray[Any, np.dtype[np.float32]]
    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class ImageTower:
    """Encodes pixels as vectors, on `threads` threads."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._session = open_session(folder / "image.onnx", threads)

    def encode(self, pixels: Pixels) -> Floats:
        """(N, S, S, 3) uint8 -> (N, D)."""
        vectors: Floats = self._session.run(None, {"pixels": pixels})[0]
        return vectors


class TextTower:
    """Tokenizes texts and encodes tokens as vectors."""

    def __init__(self, folder: Path, variant: Variant = CLIP) -> None:
        """`variant`: the text template and the padding."""
        self._variant = variant
        with ThreadPoolExecutor(1, "clipsearch-text") as pool:
            session = pool.submit(open_session, folder / "text.onnx", cpus())
            self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self._session = session.result()

    def tokenize(
        self, texts: Sequence[str], context_length: int
    ) -> tuple[list[list[int]], list[bool]]:
        """Return (tokens of each text with start and end, whether each text was cut).

        A family without a start token has only the end token. A cut text keeps its end token.
        """
        encodings = self._tokenizer.encode_batch(
            [self._variant.in_template(plain(text)) for text in texts]
        )
        rows = [encoding.ids for encoding in encodings]
        truncated = [len(row) > context_length for row in rows]
        rows = [
            [*row[: context_length - 1], row[-1]] if cut else row
            for row, cut in zip(rows, truncated, strict=True)
        ]
        return rows, truncated

    def encode(self, rows: list[list[int]]) -> Floats:
        """Token lists -> (N, D)."""
        import numpy as np

        length = max(map(len, rows))
        padding = self._variant.padding
        if padding is None:
            # A causal tower pools at the first end token, so later tokens have no effect.
            token = rows[0][-1]
        else:
            # Without a length, the tower masks the token.
            token, length = padding.token, max(length, padding.length or 0)
        ids = np.full((len(rows), length), token, np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
        vectors: Floats = self._session.run(None, {"input_ids": ids})[0]
        return vectors


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads spin only until the next operator. By default they spin on and take the cores
    # from other requests. Without any spinning a picture takes a quarter longer. With 50 us it is
    # slower too; with 200 as fast, but each picture of a crowd costs more CPU (docs/benchmarks.md).
    options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3  # errors
    # By path, because bytes would be in memory twice and take twice as long to load (measured).
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _tokenizer(path: Path) -> tokenizers.Tokenizer:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    # A typed <|endoftext|> is text. As a token it would hide the rest: the tower pools there.
    tokenizer.encode_special_tokens = True
    return tokenizer
