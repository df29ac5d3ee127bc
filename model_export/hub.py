"""A checkpoint of the Hugging Face hub -> a folder, through the hub's own client and its cache."""

from __future__ import annotations

import json
import logging
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
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # re-exported without a list
    disable_progress_bars,
)

from model_export.download import Weights, check, download
from model_export.errors import HubError, first_line
from model_export.files import CONFIG, OPENCLIP_CONFIG, SMALL_FILES, lacking, weights_of
from model_export.known import KNOWN, Known
from model_export.progress import Progress

PATIENCE = 15  # seconds until the hub's first answer


@dataclass(frozen=True, slots=True)
class Fetched:
    """`folder` holds the checkpoint as of the commit `revision`."""

    folder: Path
    revision: str


def fetch(model: str, say: Callable[[str], None]) -> Fetched:
    """Download what the export reads of `model`, or find it in the cache. HubError, OSError.

    A pinned checkpoint that is in the cache needs no network; of others the hub is asked for the
    newest revision, and the cache is used if it cannot be reached.
    """
    disable_progress_bars()  # there is one of ours
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    known = KNOWN.get(model) or Known(model, "")
    if known.revision and (found := _cached(known)):
        say(f"{model} is in the cache (revision {known.revision[:12]})")
        return found
    try:
        return _download(known, say)
    except HFValidationError as exc:
        raise HubError(
            f"{model!r} is no folder here, and no id of the Hugging Face hub (OWNER/NAME)"
        ) from exc
    except GatedRepoError as exc:
        raise HubError(
            f"{model} is gated: accept its terms at {constants.ENDPOINT}/{model} and log in "
            "(`hf auth login`, or HF_TOKEN)"
        ) from exc
    except RevisionNotFoundError as exc:
        raise HubError(
            f"{constants.ENDPOINT} has no revision {known.revision} of {model}; is it a mirror "
            "that is not complete?"
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
        return _from_cache(known, f"{constants.ENDPOINT} answers {_status(exc)}", exc, say)
    except OfflineModeIsEnabled as exc:
        return _from_cache(known, "HF_HUB_OFFLINE is set", exc, say)
    except (XetDownloadError, RuntimeError) as exc:  # what the downloader in Rust raises
        raise HubError(f"the download of {model} broke off: {first_line(exc)}") from exc
    except (HTTPError, EntryNotFoundError, ConnectionError, TimeoutError) as exc:
        trouble = f"{constants.ENDPOINT} cannot be reached ({_cause(exc)})"
        return _from_cache(known, trouble, exc, say)
    except ValueError as exc:  # such as the page of a hotel's network
        trouble = f"{constants.ENDPOINT} does not answer as the hub does"
        return _from_cache(known, trouble, exc, say)


def _download(known: Known, say: Callable[[str], None]) -> Fetched:
    model = known.model
    info = HfApi().model_info(model, revision=known.revision, timeout=PATIENCE, files_metadata=True)
    names = {sibling.rfilename for sibling in info.siblings or ()}
    config = next((name for name in (CONFIG, OPENCLIP_CONFIG) if name in names), None)
    if config is None:
        raise HubError(f"{model} has no {CONFIG} and no {OPENCLIP_CONFIG}: it is no CLIP")
    # Of a branch, so that the cache notes which commit is the newest; the others from the same.
    folder = Path(hf_hub_download(model, config, revision=known.revision)).parent
    revision = folder.name
    if revision != info.sha:  # a commit between the two questions
        info = HfApi().model_info(model, revision=revision, timeout=PATIENCE, files_metadata=True)
    is_openclip = _is_openclip(folder, names)
    weights = weights_of(names, is_openclip)
    if weights is None or lacking(names, is_openclip):
        lacks = lacking(names, is_openclip)
        raise HubError(f"{model} has no {lacks}: it is not a CLIP that can be exported")
    say(f"downloading {model} ({weights}, revision {revision[:12]})")
    for name in SMALL_FILES:
        if name in names:
            hf_hub_download(model, name, revision=revision)
    files = [weights]
    if weights.endswith(".index.json"):
        hf_hub_download(model, weights, revision=revision)
        files = _shards(folder / weights)
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    sizes = {name: siblings[name].size or 0 for name in files if name in siblings}
    with Progress(weights, sum(sizes.values()), say) as progress:
        for name in files:
            lfs = siblings[name].lfs if name in siblings else None
            digest = known.sha256.get(name) or (lfs.sha256 if lfs else None)
            wanted = Weights(model, revision, name, digest)
            if (folder / name).exists():
                check(folder / name, wanted)
                progress.found(sizes.get(name, 0))
            elif download(wanted, progress) is None:
                say(f"{constants.ENDPOINT} gives no SHA-256 of {wanted}: only its size was checked")
    return Fetched(folder, revision)


def _cached(known: Known) -> Fetched | None:
    """What is in the cache, if that is all there is to it. HubError for other bytes."""
    for config in (CONFIG, OPENCLIP_CONFIG):
        found = try_to_load_from_cache(known.model, config, revision=known.revision)
        if isinstance(found, str):
            break
    else:
        return None
    folder = Path(found).parent
    names = {path.name for path in folder.iterdir() if path.exists()}
    is_openclip = _is_openclip(folder, names)
    weights = weights_of(names, is_openclip)
    if weights is None or lacking(names, is_openclip):
        return None
    files = _shards(folder / weights) if weights.endswith(".index.json") else [weights]
    if not all(name in names for name in files):
        return None
    for name in files:
        check(folder / name, Weights(known.model, folder.name, name, known.sha256.get(name)))
    return Fetched(folder, folder.name)


def _from_cache(
    known: Known, trouble: str, error: Exception, say: Callable[[str], None]
) -> Fetched:
    found = _cached(known)
    if found is None:
        raise HubError(f"{trouble}, and {known.model} is not in the cache") from error
    say(f"{trouble}: taking {known.model} from the cache")
    return found


def _is_openclip(folder: Path, names: Collection[str]) -> bool:
    """As checkpoint.py has it: timm's config.json has no model_type, and is of no use."""
    if OPENCLIP_CONFIG not in names:
        return False
    try:
        return "model_type" not in json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return True


def _shards(index: Path) -> list[str]:
    """The files that the index of weights in several files names. HubError if it is none."""
    try:
        shards = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise HubError(f"{index} is not an index of weights") from exc
    if not all(isinstance(name, str) and Path(name).name == name for name in shards):
        raise HubError(f"{index} names files outside of its folder")
    return shards


def _status(error: HfHubHTTPError) -> str:
    return f"{error.response.status_code} {error.response.reason_phrase}"


def _cause(error: BaseException) -> str:
    """The innermost error says what the network did."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return first_line(error)
