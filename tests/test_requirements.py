"""functions/ declares all its imports, and the locks match the declared requirements."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import files, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "functions"
SOURCES = [ROOT / "requirements.in", *sorted(ROOT.glob("[!.]*/**/requirements.in"))]
# Only clipsearch/engine imports them, and only when one is used. It has a requirements.in.
ENGINES = {"lance", "pyarrow"}
LOCKS = [file.with_suffix(".txt").relative_to(ROOT).as_posix() for file in SOURCES]


def declared(lock: str) -> Iterator[Requirement]:
    """The lines of a requirements.in and of its included files."""
    source = (ROOT / lock).with_suffix(".in")
    for line in source.read_text().splitlines():
        if included := re.match(r"-r (\S+)\.in", line):
            yield from declared(f"{included[1]}.txt")
        elif line and not line.startswith("#"):
            yield Requirement(line)


def locked(lock: str) -> list[tuple[Requirement, list[str]]]:
    """The lines of a lock, each with its hashes."""
    text = (ROOT / lock).read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    parts = [re.split(r"\s+--hash=", line) for line in lines]
    return [(Requirement(requirement), hashes) for requirement, *hashes in parts]


def version(requirement: Requirement) -> str:
    (pin,) = requirement.specifier
    assert pin.operator == "==", requirement
    return pin.version


def imported() -> set[str]:
    """The modules that functions/ imports, without ours and the standard library's."""
    names = set()
    for file in FUNCTIONS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                # "from google.cloud import storage" names a module too
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {path.stem for path in FUNCTIONS.iterdir()} | ENGINES
    return {name for name in names if name.split(".")[0] not in ours | sys.stdlib_module_names}


def providers(module: str, packages: Mapping[str, list[str]]) -> set[str]:
    """The distributions of a module: one, except for the namespace "google"."""
    top = module.split(".")[0]
    owners = set(packages[top])
    if len(owners) > 1:
        # "google.cloud.storage.Client" is in google/cloud/storage/__init__.py
        while not (found := {owner for owner in owners if _has(owner, module)}):
            module = module.rpartition(".")[0]
            assert module, top
        owners = found
    return {canonicalize_name(owner) for owner in owners}


def _has(distribution: str, module: str) -> bool:
    path = module.replace(".", "/")
    names = {f"{path}.py", f"{path}/__init__.py"}
    return any(file.as_posix() in names for file in files(distribution) or [])


def test_functions_declares_every_package_that_it_imports() -> None:
    names = {canonicalize_name(line.name) for line in declared("functions/requirements.txt")}
    packages = packages_distributions()
    modules = imported()
    assert {"numpy", "google.auth", "starlette.requests.Request"} <= modules
    missing = {module for module in modules if not providers(module, packages) <= names}
    assert not missing


def test_only_the_engine_imports_what_the_functions_do_not_install() -> None:
    """And no module of it at its top, except rows.py, which is imported inside functions."""
    for file in FUNCTIONS.rglob("*.py"):
        tree = ast.parse(file.read_text())
        is_engine = file.parent == FUNCTIONS / "clipsearch/engine"
        nodes = tree.body if is_engine else [*ast.walk(tree)]
        names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
        names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not names & ENGINES or file.name == "rows.py", file
        assert "clipsearch.engine.rows" not in names, file


def test_functions_imports_every_package_that_it_declares() -> None:
    packages = packages_distributions()
    used = set().union(*(providers(module, packages) for module in imported()))
    names = {canonicalize_name(line.name) for line in declared("functions/requirements.txt")}
    assert names - used == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_every_declared_package_in_a_version_that_is_allowed(lock: str) -> None:
    pins: dict[str, list[str]] = {}
    for requirement, _ in locked(lock):
        pins.setdefault(canonicalize_name(requirement.name), []).append(version(requirement))
    for requirement in declared(lock):
        found = pins[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(pin, prereleases=True) for pin in found), (
            f"{requirement} is locked as {found}: make lock"
        )


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_line_has_hashes_and_no_address(lock: str) -> None:
    for requirement, hashes in locked(lock):
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", hash_) for hash_ in hashes), requirement
        assert requirement.url is None
    assert not re.search(r"://|^-|(?<!\S)/", (ROOT / lock).read_text(), re.MULTILINE)


def test_the_locks_agree() -> None:
    """One environment is made from several locks. That of Beam is made from one lock. It needs an
    older protobuf, dateutil and pyarrow, and google-apitools as its Python asks for; all else is as
    in `ingest`."""
    versions: dict[str, set[str]] = {}
    own = ("protobuf", "google-apitools", "python-dateutil", "pyarrow")
    alone = {("cli/embed/requirements.txt", name) for name in own}
    for lock in LOCKS:
        for requirement, _ in locked(lock):
            if (lock, requirement.name) not in alone:
                versions.setdefault(requirement.name, set()).add(version(requirement))
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_package_asks_for_what_the_functions_need_in_the_locked_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        canonicalize_name(line.name): line for line in map(Requirement, project["dependencies"])
    }
    functions = {canonicalize_name(line.name) for line in declared("functions/requirements.txt")}
    assert functions <= wanted.keys()
    pins = {canonicalize_name(line.name): version(line) for line, _ in locked("requirements.txt")}
    for name, requirement in wanted.items():
        assert requirement.specifier.contains(pins[name]), requirement
    # another release may decode a photo to other pixels in the same space
    for exact in ("pillow", "pillow-heif"):
        assert str(wanted[exact].specifier) == f"=={pins[exact]}"
