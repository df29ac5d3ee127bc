"""Tab completion, by the scripts that click makes for each shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[2]


@pytest.fixture
def env(tmp_path):
    """With a program `clipsearch` on the path, and a folder `photos` beside a file."""
    program = tmp_path / "bin" / "clipsearch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec {sys.executable} -m cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "photos").mkdir()
    (tmp_path / "phones.txt").write_text("")
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb"}


def completions(env, shell, words):
    """What the program says to the script of the shell, as (type, value)."""
    typed = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    if shell == "fish":
        typed = {"COMP_WORDS": words, "COMP_CWORD": words.split(" ")[-1]}
    done = subprocess.run(
        ["clipsearch"],
        env={**env, **typed, "_CLIPSEARCH_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.rstrip("\n").split("\n") if done.stdout.strip() else []
    if shell == "bash":
        return [tuple(line.split(",", 1)) for line in lines]
    if shell == "fish":
        return [(line.split(",")[0], line.split(",")[1].split("\t")[0]) for line in lines]
    return list(zip(lines[::3], lines[1::3], strict=True))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_commands_options_and_folders(env, shell):
    named = [value for _, value in completions(env, shell, "clipsearch ")]
    assert named == [*COMMANDS]
    assert completions(env, shell, "clipsearch re") == [("plain", "reconcile")]
    assert ("plain", "--quiet") in completions(env, shell, "clipsearch upload --q")
    [(kind, _)] = completions(env, shell, "clipsearch run ph")
    assert kind == "dir"
    [(kind, _)] = completions(env, shell, "clipsearch evaluate --captions ph")
    assert kind == "file"
    assert completions(env, shell, "clipsearch nonsense x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_accepts(env, shell, tmp_path):
    made = subprocess.run(
        ["clipsearch"],
        env={**env, "_CLIPSEARCH_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "_CLIPSEARCH_COMPLETE" in made.stdout
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(made.stdout)
    checked = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_tab_completes_a_command_and_a_folder_in_bash(env, tmp_path):
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path, {**env, "PS1": "$ "})
    try:
        terminal.type('eval "$(_CLIPSEARCH_COMPLETE=bash_source clipsearch)"; echo loa""ded\n')
        terminal.wait_for("loaded\r\n")
        terminal.type("clipsearch rec\t")
        terminal.wait_for("clipsearch reconcile ")
        terminal.type("\x15clipsearch run ph\t")  # \x15 clears the line
        terminal.wait_for("clipsearch run photos/")  # not the file phones.txt
    finally:
        terminal.close()
