"""The demo pictures."""

from PIL import Image

from cli.demo_photos import demo_scene, draw_demo_photo, draw_demo_photos, file_name


def test_pictures_are_named_after_what_they_show(tmp_path):
    assert draw_demo_photos(tmp_path, 3) == 3
    for number in range(3):
        path = tmp_path / file_name(number)
        assert path.name == f"{demo_scene(number).describe().replace(' ', '-')}-000{number}.jpg"
        with Image.open(path) as picture:
            assert picture.size == (480, 480)
            picture.load()
    assert len(list(tmp_path.iterdir())) == 3  # and nothing else


def test_a_picture_is_the_same_every_time_and_kept_when_it_is_there(tmp_path):
    draw_demo_photos(tmp_path, 2)
    first = tmp_path / file_name(0)
    before = first.read_bytes()
    draw_demo_photo(tmp_path, 0)
    assert first.read_bytes() == before
    first.write_bytes(b"mine")
    assert draw_demo_photos(tmp_path, 3) == 1
    assert first.read_bytes() == b"mine"


def test_five_hundred_pictures_have_something_for_the_queries_in_the_readme():
    scenes = [demo_scene(number) for number in range(500)]
    shown = {(g.count, g.colour, g.thing) for scene in scenes for g in scene.groups}
    assert len(shown) == 3 * 9 * 12  # everything there is
    assert len({file_name(number) for number in range(500)}) == 500
