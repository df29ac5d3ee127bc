"""`make demo-upload`: demo pictures in a bucket, with one command."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make(*arguments):
    # -o: the environment of this test is used as it is, and never made again
    environment = [f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.made"]
    command = ["make", *environment, "demo-upload", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_pictures_are_drawn_and_uploaded(tmp_path):
    done = make(f"TO={tmp_path.as_uri()}", "COUNT=2", "ARGS=--quiet")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.jpg"))) >= 2  # and those that were drawn before


def test_without_a_bucket_it_asks_for_one():
    done = make()
    assert done.returncode == 2
    assert "make demo-upload TO=gs://" in done.stderr
