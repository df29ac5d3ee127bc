"""Whatever is posted as a form is understood or refused, never a crash."""

import io
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from search.http.errors import RequestError
from search.http.form import parse_form

BOUNDARY = "x"
HEADERS = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}

pieces = st.sampled_from(
    [
        b"--x",
        b"--x--",
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"Content-Disposition: form-data",
        b"Content-Disposition: attachment",
        b'; name="image"',
        b'; name="q"',
        b"; name*=utf-8''q",
        b'; filename="a.jpg"',
        b'; filename=""',
        b"Content-Type: text/plain; charset=iso-8859-1",
        b"Content-Type: image/png",
        b"Content-Length: 5",
        b"red",
        b"\xff\xfe\x00",
        b": ",
    ]
)


@given(st.lists(st.one_of(pieces, st.binary(max_size=6)), max_size=30).map(b"".join))
def test_any_body_is_a_form_or_a_request_error(body):
    try:
        fields, images = parse_form(HEADERS, io.BytesIO(body))
    except RequestError:
        return
    assert all(isinstance(part, str) for pair in fields for part in pair)
    assert len(images) <= 1
    assert all(isinstance(image, bytes) for image in images)


@given(st.text())
def test_any_content_type_is_a_form_or_a_request_error(content_type):
    with suppress(RequestError):
        assert parse_form({"content-type": content_type}, io.BytesIO(b"--x--\r\n")) == ([], [])


@given(st.binary(max_size=300_000), st.text(st.characters(exclude_categories=["Cs"])))
def test_fields_and_picture_arrive_as_they_were_sent(image, words):
    boundary = b"b0undary--not--in--the--data"
    body = b"".join(
        [
            b"--%s\r\n" % boundary,
            b'Content-Disposition: form-data; name="q"\r\n\r\n%s\r\n' % words.encode(),
            b"--%s\r\n" % boundary,
            b'Content-Disposition: form-data; name="image"; filename="a b.jpg"\r\n',
            b"Content-Type: image/jpeg\r\n\r\n%s\r\n" % image,
            b"--%s--\r\n" % boundary,
        ]
    )
    headers = {"content-type": f'Multipart/Form-Data; boundary="{boundary.decode()}"'}
    assert parse_form(headers, io.BytesIO(body)) == ([("q", words)], [image])
