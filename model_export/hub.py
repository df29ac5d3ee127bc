"""A checkpoint of the Hugging Face hub -> a folder, through the hub's own client and its cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of its client
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
    XetDownloadError,
)

from model_export.errors import HubError, first_line
from model_export.files import SMALL_FILES, WEIGHTS

PATIENCE = 15  # seconds until the hub's first answer


@dataclass(frozen=True, slots=True)
class Fetched:
    """`folder` holds the checkpoint as of the commit `revision`."""

    folder: Path
    revision: str


def fetch(model: str, say: Callable[[str], None]) -> Fetched:
    """Download what the export reads of `model`, or find it in the cache. HubError, OSError.

    Without a network, what an earlier download left in the cache is used.
    """
    try:
        info = HfApi().model_info(model, timeout=PATIENCE)
        names = {sibling.rfilename for sibling in info.siblings or ()}
        return _download(model, names, say)
    except HFValidationError as exc:
        raise HubError(
            f"{model!r} is no folder here, and no id of the Hugging Face hub (OWNER/NAME)"
        ) from exc
    except GatedRepoError as exc:
        raise HubError(
            f"{model} is gated: accept its terms at {constants.ENDPOINT}/{model} and log in "
            "(`hf auth login`, or HF_TOKEN)"
        ) from exc
    except RepositoryNotFoundError as exc:
        raise HubError(
            f"there is no model {model} at {constants.ENDPOINT}, or it is private: then log in "
            "(`hf auth login`, or HF_TOKEN)"
        ) from exc
    except HfHubHTTPError as exc:
        if exc.response.status_code in (401, 403):
            raise HubError(
                f"{constants.ENDPOINT} does not give {model} to this login: {_status(exc)}; "
                "look at HF_TOKEN, or `hf auth login` again"
            ) from exc
        return _from_cache(model, f"answers {_status(exc)}", exc, say)
    except (XetDownloadError, RuntimeError) as exc:  # what the downloader in Rust raises
        raise HubError(f"the download of {model} broke off: {first_line(exc)}") from exc
    except (HTTPError, EntryNotFoundError, ConnectionError, TimeoutError) as exc:
        return _from_cache(model, f"cannot be reached ({_cause(exc)})", exc, say)


def _download(model: str, names: Collection[str], say: Callable[[str], None]) -> Fetched:
    weights = next((name for name in WEIGHTS if name in names), None)
    if "config.json" not in names or weights is None:
        lacking = "config.json" if weights else f"weights ({', '.join(WEIGHTS)})"
        raise HubError(f"{model} has no {lacking}: it is not a CLIP of transformers")
    # Without a revision, so that the cache notes which is the newest; the others from the same.
    folder = Path(hf_hub_download(model, "config.json")).parent
    revision = folder.name
    say(f"downloading {model} ({weights}, revision {revision[:12]})")
    for name in (*(name for name in SMALL_FILES if name in names), weights):
        hf_hub_download(model, name, revision=revision)
    if weights.endswith(".index.json"):
        index = json.loads((folder / weights).read_text())
        for shard in sorted(set(index["weight_map"].values())):
            hf_hub_download(model, shard, revision=revision)
    return Fetched(folder, revision)


def _from_cache(model: str, trouble: str, error: Exception, say: Callable[[str], None]) -> Fetched:
    config = try_to_load_from_cache(model, "config.json")
    if not isinstance(config, str):
        raise HubError(
            f"{constants.ENDPOINT} {trouble}, and {model} is not in the cache"
        ) from error
    say(f"{constants.ENDPOINT} {trouble}: taking {model} from the cache")
    folder = Path(config).parent
    return Fetched(folder, folder.name)


def _status(error: HfHubHTTPError) -> str:
    return f"{error.response.status_code} {error.response.reason_phrase}"


def _cause(error: BaseException) -> str:
    """The innermost error says what the network did."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return first_line(error)
