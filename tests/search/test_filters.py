"""Each filter, in lists and in searches, against a brute-force reference."""

import pytest

from tests.search.conftest import form
from tests.search.library import answer, listed, names, seconds, whole
from tests.search.test_errors import assert_problem
from tests.support.pictures import png

# parameters; the same as JSON, where it differs; which photos fit
FILTERS = [
    ({"photo": "2023/Italy/"}, {}, lambda p: False),
    ({"folder": "2023/"}, {}, lambda p: p.name.startswith("2023/")),
    ({"folder": "2023/Italy"}, {}, lambda p: p.name.startswith("2023/Italy/")),
    ({"folder": "202"}, {}, lambda p: False),
    ({"name": "beach"}, {}, lambda p: "beach" in p.name.casefold()),
    ({"name": "ITALY/B"}, {}, lambda p: "italy/b" in p.name.casefold()),
    ({"name": "x%_"}, {}, lambda p: "x%_" in p.name),
    ({"after": "2023-07"}, {}, lambda p: p.date >= seconds("2023-07-01T00:00")),
    ({"after": "2024"}, {}, lambda p: p.date >= seconds("2024-01-01T00:00")),
    ({"before": "2023-07-01"}, {}, lambda p: p.date < seconds("2023-07-01T00:00")),
    ({"before": "2023-07-01T12:00"}, {}, lambda p: p.date < seconds("2023-07-01T12:00")),
    ({"before": "2023-07-01T12:00:01"}, {}, lambda p: p.date <= seconds("2023-07-01T12:00")),
    ({"before": "2023-07-01T12:00:00.5"}, {}, lambda p: p.date <= seconds("2023-07-01T12:00")),
    ({"after": "2023-07-01T12:00Z"}, {}, lambda p: p.instant >= seconds("2023-07-01T12:00")),
    ({"after": "2023-07-01T12:00+02:00"}, {}, lambda p: p.instant >= seconds("2023-07-01T10:00")),
    ({"before": "2023-07-01T12:00-05:30"}, {}, lambda p: p.instant < seconds("2023-07-01T17:30")),
    (
        {"near": "42.3,13,40"},
        {"near": {"latitude": 42.3, "longitude": 13, "km": 40}},
        lambda p: p.is_near(42.3, 13, 40),
    ),
    (
        {"near": "-42,-167,20040"},
        {"near": {"latitude": -42, "longitude": -167.0, "km": 20040}},
        lambda p: p.facts and p.facts.place is not None,
    ),
    ({"orientation": "portrait"}, {}, lambda p: p.orientation == "portrait"),
    ({"orientation": "square"}, {}, lambda p: p.orientation == "square"),
    ({"format": "tiff"}, {}, lambda p: p.format == "tiff"),
    ({"format": ["heic", "webp", "heic"]}, {}, lambda p: p.format in ("heic", "webp")),
    (
        {"min_megapixels": "0.5"},
        {"min_megapixels": 0.5},
        lambda p: p.width * p.height >= 500_000,
    ),
    (
        {"folder": "2023", "after": "2023-07", "orientation": "landscape", "name": "b"},
        {},
        lambda p: (
            p.name.startswith("2023/")
            and p.date >= seconds("2023-07-01T00:00")
            and p.orientation == "landscape"
            and "b" in p.name.removeprefix("2023/").casefold()
        ),
    ),
]


IDS = [str(filters) for filters, _, _ in FILTERS]


@pytest.mark.parametrize(("filters", "as_json", "fits"), FILTERS, ids=IDS)
def test_lists_and_searches_find_what_fits(library, photos, filters, as_json, fits):
    expected = listed(photo for photo in photos if fits(photo))
    assert whole(library, **filters) == expected
    assert sorted(whole(library, q="blue", **filters)) == sorted(expected)
    assert sorted(whole(library, q=["blue", "red"], **filters)) == sorted(expected)
    body = {"filter": {**filters, **as_json}, "limit": 100}
    assert names(library.post("/search", json=body)) == expected[:100]
    fields = [(name, None, str(value).encode()) for name, value in filters.items()]
    if isinstance(filters.get("format"), list):
        fields = [("format", None, name.encode()) for name in filters["format"]]
    posted = form(*fields, ("q", None, b""), ("after", None, b""), ("limit", None, b"100"))
    if "after" not in filters:
        assert names(library.post(**posted)) == expected[:100]


def test_the_whole_name_finds_one_photo(library, photos):
    for photo in photos[::10]:
        found = answer(library.get("/", params={"photo": photo.name}))
        assert [result["name"] for result in found["results"]] == [photo.name]
        assert found["total"] == 1
    assert answer(library.get("/", params={"photo": photo.name[:-1]}))["total"] == 0


def test_filters_leave_order_and_scores_of_a_search_as_they_are(library, photos):
    first = answer(library.get("/?q=blue&limit=100"))
    second = answer(library.get(f"/?q=blue&limit=100&cursor={first['next_cursor']}"))
    found = answer(library.get("/?q=blue&limit=100&orientation=portrait"))["results"]
    portraits = {photo.name for photo in photos if photo.orientation == "portrait"}
    assert found == [
        result for result in first["results"] + second["results"] if result["name"] in portraits
    ]
    with_picture = library.post_image(png("blue"), orientation="portrait", limit=100)
    assert {*names(with_picture)} == portraits


BAD = [
    ("after", "", "after is empty"),
    (
        "after",
        "yesterday",
        "after must be a date or time such as 2023, 2023-07-14 or 2023-07-14T18",
    ),
    ("after", "yesterday", "not 'yesterday'"),
    ("after", "2023-13", "not '2023-13'"),
    ("before", "2023-02-29", "before must be a date or time"),
    ("before", "2023-07-14T25:00", "before must be a date or time"),
    ("before", "2023-07-14T18", "before must be a date or time"),
    ("before", "20230714", "before must be a date or time"),
    ("before", "٢٠٢٣", "before must be a date or time"),
    ("before", "0001-01-01T00:00+14:00", "before must be a date or time"),
    ("before", "9999-12-31T23:59:59.5", "before must be a date or time"),
    ("before", "2023-07-14T18:00 02:00", "write + as %2B in a URL"),
    ("near", "41,12", "near must be a latitude, a longitude and km, such as 41.9,12.5,10"),
    ("near", "41,12,x", "near: 'x' is not a number"),
    ("near", "nan,12,1", "near: 'nan' is not a number"),
    ("near", "91,12,1", "near: latitude must be from -90 to 90, not '91.0'"),
    ("near", "41,-180.5,1", "near: longitude must be from -180 to 180"),
    ("near", "41,12,0", "near: km must be more than 0 and at most 20,040, not '0.0'"),
    ("near", "41,12,20041", "near: km must be more than 0"),
    ("near", f"41,12,{'9' * 400}", "near: km must be more than 0"),
    ("photo", "", "photo is empty"),
    ("folder", " ", "folder is empty"),
    ("name", "", "name is empty"),
    ("orientation", "wide", "orientation must be one of landscape, portrait, square, not 'wide'"),
    ("format", "jpg", "format must be one of jpeg, png, webp, gif, bmp, tiff, avif, heic, not"),
    ("format", "", "format must be one of"),
    ("min_megapixels", "many", "min_megapixels: 'many' is not a number"),
    ("min_megapixels", "1001", "min_megapixels must be a number from 0 to 1000"),
    ("sort", "best", "sort must be one of relevance, newest, oldest, not 'best'"),
    ("stack", "yes", "stack must be 0 or 1, not 'yes'"),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD)
def test_a_bad_filter_is_a_400(library, name, value, said):
    for path in ("/", "/facets"):
        assert_problem(library.get(path, params={name: value}), 400, said)
    if value.strip():
        assert_problem(library.post(**form((name, None, value.encode()))), 400, said)


def test_a_filter_given_twice_is_a_400(library):
    for name in ("photo", "folder", "name", "after", "near", "sort", "stack", "min_megapixels"):
        said = f"parameter {name} is given more than once"
        assert_problem(library.get(f"/?{name}=1&{name}=1"), 400, said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"filter": []}, "filter must be an object"),
        ({"filter": {"format": 1}}, "filter.format must be a list, not '1'"),
        ({"filter": {"format": [1]}}, "filter.format must be a string"),
        ({"filter": {"format": "jpg"}}, "format must be one of"),
        ({"filter": {"after": 2023}}, "filter.after must be a string, not '2023'"),
        ({"filter": {"after": ""}}, "after is empty"),
        ({"filter": {"near": "41,12,1"}}, "filter.near must be an object"),
        ({"filter": {"near": {"latitude": 41, "km": 1}}}, "filter.near lacks longitude"),
        ({"filter": {"near": {"lat": 41}}}, "filter.near has the unknown key 'lat'"),
        ({"filter": {"near": {"latitude": "41", "longitude": 12, "km": 1}}}, "near: latitude"),
        ({"filter": {"near": {"latitude": 41, "longitude": 12, "km": 10**400}}}, "near: km"),
        ({"filter": {"near": {"latitude": True, "longitude": 12, "km": 1}}}, "near: latitude"),
        ({"filter": {"min_megapixels": "8"}}, "min_megapixels must be a number from 0 to 1000"),
        ({"filter": {"colour": "red"}}, "filter has the unknown key 'colour'; allowed: photo, "),
        ({"sort": "best"}, "sort must be one of"),
        ({"sort": None}, "sort must be a string"),
        ({"stack": 1}, "stack must be true or false, not '1'"),
        ({"min_match": "good"}, "min_match needs a term"),
    ],
    ids=str,
)
def test_a_bad_filter_in_json_is_a_400(library, body, said):
    assert_problem(library.post("/search", json=body), 400, said)
