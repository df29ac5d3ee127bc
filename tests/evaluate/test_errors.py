"""What cannot be evaluated is said in one line."""

import json

import pytest

from cli.main import main
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from model_export.demo import BUNDLE
from tests.evaluate.conftest import command

GOOD = {
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "annotations": [{"image_id": 1, "caption": "a red car"}],
}


@pytest.fixture
def said(capsys):
    """Evaluate, and return the one line of the error and the exit code."""

    def evaluate(*arguments):
        code = main(["evaluate", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("clipsearch: ")
        return err, code

    return evaluate


def test_a_name_never_steers_the_terminal(tmp_path, said):
    line, code = said("--captions", tmp_path / "\x1b[2J\u202e.json", "--index", tmp_path / "index")
    assert code == 2
    assert r"\u001b[2J\u202e.json" in line
    assert line[:-1].isprintable()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"\x89PNG, not JSON", "is not a JSON file"),
        (b"{", "is not a JSON file"),
        ([], "it has no list of images"),
        ({"images": []}, "it has no list of annotations"),
        ({"images": [{"id": 1}], "annotations": []}, "image 0 has no file_name"),
        ({"images": [{"file_name": "a.jpg"}], "annotations": []}, "image 0 has no id"),
        (
            {**GOOD, "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]},
            "annotation 0 has no caption",
        ),
        ({**GOOD, "annotations": [{"caption": "a red car"}]}, "annotation 0 has no image_id"),
        (
            {**GOOD, "annotations": [{"image_id": 2, "caption": "a red car"}]},
            "annotation 0 is for image 2, which is not among the images",
        ),
        ({**GOOD, "images": GOOD["images"] * 2}, "two images have the id 1"),
        ({**GOOD, "annotations": []}, "it has no caption"),
        ({**GOOD, "annotations": [{"image_id": 1, "caption": " "}]}, "it has no caption"),
    ],
)
def test_a_file_that_is_not_coco_captions(tmp_path, said, document, reason):
    path = tmp_path / "captions.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    line, code = said("--captions", path, "--index", tmp_path / "index")
    assert code == 2
    assert str(path) in line
    assert reason in line
    assert "it must be like captions_val2017.json" in line


def test_no_such_file_and_a_folder(tmp_path, said):
    index = ("--index", tmp_path)
    missing = tmp_path / "none.json"
    for arguments in ((), index):  # whatever else is wrong
        line, code = said("--captions", missing, *arguments)
        assert (line, code) == (
            f"clipsearch: the captions {missing} do not exist; check the path\n",
            2,
        )
    line, code = said("--captions", tmp_path, *index)
    assert (line.endswith("cannot be read: Is a directory\n"), code) == (True, 2)


@pytest.fixture
def captions(tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(GOOD))
    return path


def test_no_model_and_no_index(tmp_path, captions, said):
    where = ("--captions", captions, "--index", tmp_path / "index")
    line, code = said(*where)
    assert ("the current model in file://" in line, code) == (True, 1)
    publish_bundle(BUNDLE, open_bucket((tmp_path / "index").as_uri()))
    line, code = said(*where)
    assert ("an index of photos for the model clipsearch-demo" in line, code) == (True, 1)
    line, code = said(*where, "--space", "0123456789ab")
    assert ("the bundle '0123456789ab'" in line, code) == (True, 1)


def test_none_of_the_photos_is_indexed(library, said, captions):
    line, code = said("--captions", library.path, "--index", library.index)
    assert code == 1
    assert "none of the 200 captioned photos is in the index" in line
    assert "'held-out/00000.png', not like '00000.png'; set --prefix" in line


def test_only_others_than_the_first_are_indexed(library, said):
    library.images.insert(0, {"id": "x", "file_name": "absent.jpg"})
    library.annotations.append({"image_id": "x", "caption": "a red car"})
    document = {"images": library.images, "annotations": library.annotations}
    library.path.write_text(json.dumps(document))
    where = ("--captions", library.path, "--index", library.index, "--prefix", "held-out/")
    line, code = said(*where, "--count", "1")
    assert code == 1
    assert "none of the first 1 captioned photos is in the index, but 200 others are" in line


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--count", "0"], "--count is '0'; it must be a whole number of 1 or more"),
        (["--count", "many"], "--count is 'many'"),
        (["--count", "10001"], "may be 10,000 at most without --captions"),
        (["--others", "-1"], "--others is '-1'; it must be a whole number of 0 or more"),
        (["--index", "gs://somewhere"], "--index needs --captions"),
        (["--prefix", "coco/"], "--prefix needs --captions"),
        (["--fit"], "--fit needs --captions"),
        (["--captions", __file__, "--others", "5"], "--others is for the demo world"),
        (["--captions", __file__, "--photos", "gs://x"], "name the index of gs://x with --index"),
        (["--captions", __file__, "--index", "gs://X!"], "--index cannot be used: 'gs://X!'"),
        (["--captions", __file__, "--photos", "/nowhere/x"], "photos folder /nowhere/x"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_asked_wrongly(said, arguments, reason):
    line, code = said(*arguments)
    assert (reason in line, code) == (True, 2), line


def test_the_command_itself_says_it_in_one_line(tmp_path):
    done = command("--captions", str(tmp_path / "none.json"), "--index", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
