"""Who may import whom, and that importing the entry points brings nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What may be imported of our own by the files of a package, itself included.
ALLOWED = {
    "functions/clipsearch": {"clipsearch"},
    "functions/ingest": {"clipsearch", "ingest"},
    "functions/search": {"clipsearch", "search"},
    "model_export": {"clipsearch", "model_export"},
    "tools": {"clipsearch", "ingest", "model_export", "search", "tools"},
}
OURS = {"clipsearch", "ingest", "main", "model_export", "search", "tools"}

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

# The three places where Google's clients, and their errors, are known: storage, Pub/Sub, IAM.
KNOWS_GOOGLE = {
    *(ROOT / "functions/clipsearch/storage").glob("gcs*.py"),
    ROOT / "functions/ingest/pubsub.py",
    ROOT / "functions/search/engine/signing.py",
}


def imports_of(file: Path) -> set[str]:
    """The dotted names of all modules that `file` imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_run_one_way(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        ours = {name.split(".")[0] for name in imports_of(file)} & OURS
        assert ours <= ALLOWED[package], file


def test_the_cloud_gets_no_torch_and_knows_google_in_few_places():
    for file in (ROOT / "functions").rglob("*.py"):
        names = {name.split(".")[0] for name in imports_of(file)}
        assert not names & {"torch", "transformers", "onnx"}, file
        if file not in KNOWS_GOOGLE:
            assert "google" not in names, file


def test_importing_main_imports_nothing_heavy():
    code = "import sys, main; print('\\n'.join(sys.modules))"
    imported = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "functions",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    assert "ingest.main" in imported
    assert not HEAVY & set(imported)


def test_main_is_two_imports_and_nothing_else():
    body = ast.parse((ROOT / "functions/main.py").read_text()).body
    kinds = [type(statement).__name__ for statement in body]
    assert kinds == ["Expr", "ImportFrom", "ImportFrom", "Assign"]
