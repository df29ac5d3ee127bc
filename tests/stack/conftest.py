"""What the tests run the stack with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cli.run.model import DEMO_MODEL
from model_export.demo.scenes import Group, Scene, draw
from tests.support.pictures import encoded, jpeg
from tests.support.ports import free_port
from tests.support.running_stack import RunningStack


@dataclass(frozen=True)
class Model:
    """A bundle, words it knows, and a JPEG of what these words say."""

    folder: Path
    words: str
    picture: bytes


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    if (DEMO_MODEL / "model.json").exists():
        scene = Scene((Group("mushroom", "blue", 2),), "day")
        picture = draw(scene, 480, np.random.default_rng(1))
        return Model(DEMO_MODEL, "two blue mushrooms", encoded(picture, "JPEG", quality=90))
    from tests.support.tiny_bundle import make_tiny_bundle

    folder = make_tiny_bundle(tmp_path_factory.mktemp("model"))
    return Model(folder, "magenta", jpeg("magenta", (480, 480)))


@pytest.fixture(scope="module")
def start_stack(tmp_path_factory):
    """Start `python -m cli.run` with these arguments; all of them end with the module."""
    stacks = []

    def start(*arguments, program=None):
        output = tmp_path_factory.mktemp("stack") / "output"
        stacks.append(RunningStack(output, *arguments, program=program))
        return stacks[-1]

    yield start
    for stack in stacks:
        stack.end()


@pytest.fixture
def port():
    return free_port()
