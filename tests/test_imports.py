"""Allowed imports between packages; importing the entry points loads nothing heavy."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Our packages that the files of a package may import, itself included.
ALLOWED = {
    "functions/clipsearch": {"clipsearch"},
    "functions/ingest": {"clipsearch", "ingest"},
    "functions/search": {"clipsearch", "search"},
    "functions/stopper": {"clipsearch", "stopper"},
    "model_export": {"clipsearch", "model_export"},
    "cli": {"clipsearch", "ingest", "model_export", "search", "cli"},
    "benchmarks": {"benchmarks", "clipsearch", "ingest", "model_export", "search", "cli"},
}
OURS = {"benchmarks", "cli", "clipsearch", "ingest", "main", "model_export", "search", "stopper"}

FUNCTIONS = ROOT / "functions"
# Our modules that a folder may import, besides its own, those of its subfolders, and the modules
# directly in clipsearch/.
WITHIN = {
    "clipsearch": ("clipsearch/storage",),
    "clipsearch/engine": (
        *("clipsearch/index/format", "clipsearch/index/reader", "clipsearch/storage"),
        "clipsearch/index/search",  # of candidates and newer photos
        "clipsearch/index/compaction/transaction",  # lists the segments and reads the commit
    ),
    "clipsearch/images": (),
    "clipsearch/images/facts": ("clipsearch/images",),
    "clipsearch/index": ("clipsearch/storage",),
    "clipsearch/index/format": ("clipsearch/storage",),
    "clipsearch/index/reader": ("clipsearch/index/format", "clipsearch/storage"),
    "clipsearch/index/search": ("clipsearch/index/format", "clipsearch/index/reader"),
    "clipsearch/index/compaction": (
        *("clipsearch/index/format", "clipsearch/index/reader", "clipsearch/storage"),
        "clipsearch/model/bundle",  # has the common direction of texts
    ),
    "clipsearch/model": ("clipsearch/images", "clipsearch/storage"),
    "clipsearch/storage": (),
    "ingest": ("clipsearch",),
    "ingest/reconcile": ("clipsearch", "ingest/messages"),
    "search": ("clipsearch",),
    "search/engine": ("clipsearch",),
    "search/fetch": ("clipsearch",),
    "search/http": ("clipsearch", "search/engine", "search/fetch"),
    "stopper": ("clipsearch",),
}
# These compare arrays. Like the index, they are imported inside functions only.
NUMPY_AT_THE_TOP = ("clipsearch/index", "clipsearch/engine", "ingest/reconcile")

# Threads started before the fork are dead after it, and imports delay the open port.
HEAVY = {
    "numpy",
    "PIL",
    "onnxruntime",
    "faiss",
    "tokenizers",
    "pillow_heif",
    "google.cloud.storage",
    "torch",
    "transformers",
}

# The only modules that know Google's clients and their errors: storage, Pub/Sub, IAM.
KNOWS_GOOGLE = {
    ROOT / "functions/clipsearch/google_session.py",
    *(ROOT / "functions/clipsearch/storage").glob("gcs*.py"),
    ROOT / "functions/ingest/pubsub.py",
    ROOT / "functions/search/engine/signing.py",
}


def imports_of(file: Path) -> set[str]:
    """The dotted names of all modules that `file` imports, anywhere in it."""
    return names_in(ast.walk(ast.parse(file.read_text())))


def imports_at_the_top(file: Path) -> set[str]:
    return names_in(ast.parse(file.read_text()).body)


def modules_of(folder: str) -> list[Path]:
    files = sorted((FUNCTIONS / folder).glob("*.py"))
    assert files
    return files


def names_in(nodes: Iterable[ast.AST]) -> set[str]:
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            names.add(str(node.module))
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_run_one_way(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        ours = {name.split(".")[0] for name in imports_of(file)} & OURS
        assert ours <= ALLOWED[package], file


def test_the_engine_of_search_knows_no_http():
    for file in (ROOT / "functions/search/engine").rglob("*.py"):
        names = imports_of(file)
        ours = {name for name in names if name.split(".")[0] == "search"}
        assert all(name.startswith("search.engine") for name in ours), file


def test_the_cloud_gets_no_torch_and_knows_google_in_few_places():
    for file in (ROOT / "functions").rglob("*.py"):
        names = {name.split(".")[0] for name in imports_of(file)}
        assert not names & {"torch", "transformers", "onnx"}, file
        if file not in KNOWS_GOOGLE:
            assert "google" not in names, file


TARGETS = ("search", "ingest", "stopper")


@pytest.mark.parametrize("target", TARGETS)
def test_main_imports_its_target_only_and_nothing_heavy(target):
    others = {*TARGETS} - {target}
    code = "import sys, main; print('\\n'.join(sys.modules))"
    imported = start(code, target).stdout.split("\n")
    assert f"{target}.main" in imported
    assert not [name for name in imported if name.split(".")[0] in others]
    assert not HEAVY & set(imported)


def test_main_says_which_targets_there_are():
    failed = start("import main", "serach", check=False)
    assert failed.returncode == 1
    assert failed.stderr == "FUNCTION_TARGET is 'serach'; it must be search, ingest or stopper\n"


def start(code: str, target: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "functions",
        env={**os.environ, "FUNCTION_TARGET": target},
        capture_output=True,
        text=True,
        check=check,
    )


@pytest.mark.parametrize("folder", sorted(WITHIN))
def test_numpy_and_faiss_stand_at_the_top_only_inside_the_index(folder):
    """So an import of a module outside of it loads neither, also before the fork."""
    for file in modules_of(folder):
        names = {name.split(".")[0] for name in imports_at_the_top(file)}
        assert "numpy" not in names or folder.startswith(NUMPY_AT_THE_TOP), file
        assert "faiss" not in names or folder == "clipsearch/index/search", file


@pytest.mark.parametrize("folder", sorted(WITHIN))
def test_each_folder_says_what_is_in_it_and_imports_what_it_may(folder):
    assert ast.get_docstring(ast.parse((FUNCTIONS / folder / "__init__.py").read_text()))
    for file in modules_of(folder):
        for name in imports_of(file):
            if name.split(".")[0] in {"clipsearch", "ingest", "search", "stopper"}:
                place = name.replace(".", "/")
                own = () if folder == "clipsearch" else (folder,)
                allowed = (*own, *WITHIN[folder])
                is_own = any(place == a or place.startswith(f"{a}/") for a in allowed)
                is_top = place.count("/") <= 1 and (FUNCTIONS / f"{place}.py").exists()
                assert is_own or is_top, f"{file}: {name}"
