"""Certificates are checked against the name in the URL, not against the address."""

import datetime
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from search.fetch import network
from search.fetch.errors import SiteFailed, SiteTooSlow
from search.fetch.fetch import fetch
from tests.support.site_double import PUBLIC, answers, internet


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and a certificate of photos.example, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "photos.example")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("photos.example")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "photos.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def web(monkeypatch, certificate):
    with internet() as found:
        found.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        found.tls.load_cert_chain(certificate)
        found.pages["/a.jpg"] = answers(b"a picture")
        monkeypatch.setattr(network, "resolve", found.resolve)
        monkeypatch.setattr(network, "connect", found.connect)
        network.tls.cache_clear()
        yield found
        network.tls.cache_clear()


def test_the_name_is_sent_and_checked(web, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asked = []
    web.tls.sni_callback = lambda _, name, __: asked.append(name)
    assert fetch("https://photos.example/a.jpg") == b"a picture"
    assert asked == ["photos.example"]
    assert web.connected == [(PUBLIC, 443)]


def test_a_certificate_of_another_name_is_refused(web, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    web.names["other.example"] = [PUBLIC]
    with pytest.raises(SiteFailed, match=r"no valid certificate.*other\.example"):
        fetch("https://other.example/a.jpg")
    assert web.requests == []


def test_so_is_one_that_nobody_known_has_signed(web):
    with pytest.raises(SiteFailed, match="no valid certificate"):
        fetch("https://photos.example/a.jpg")


def test_a_site_without_tls_is_said_to_be_one(web, monkeypatch):
    refusal = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    monkeypatch.setattr(web, "serve", lambda connection: connection.sendall(refusal))
    with pytest.raises(SiteFailed, match=r"does not speak TLS|ends the connection"):
        fetch("https://photos.example:80/a.jpg")


def test_a_handshake_that_never_ends_is_too_slow(web, monkeypatch):
    end = threading.Event()
    monkeypatch.setattr(web, "serve", lambda connection: end.wait(60))
    with pytest.raises(SiteTooSlow):
        fetch("https://photos.example/a.jpg", seconds=0.3)
    end.set()
