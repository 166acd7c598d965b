"""Where a webhook may lead, judged by its URL alone and by an address alone."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.errors import Invalid
from service.webhooks.targets import address_of, is_public, target_of
from tests.spellings import HOSTS

PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1")
PUBLIC_6 = ("2606:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::200e", "2400:cb00::1")


def test_enough_is_tried() -> None:
    assert len(HOSTS) == len(set(HOSTS)) >= 120


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_not_of_the_public_internet_is_refused_by_its_spelling_alone(host: str) -> None:
    for port in ("", ":443", ":8443"):
        with pytest.raises(Invalid) as refused:
            target_of(f"https://{host}{port}/hook")
        assert refused.value.pointer == "/url"


@pytest.mark.parametrize(
    "host", [*PUBLIC, *(f"[{each}]" for each in PUBLIC_6), "hooks.example.com", "xn--bcher-kva.de"]
)
def test_a_public_host_is_taken_in_any_case(host: str) -> None:
    assert target_of(f"HTTPS://{host.upper()}/Hook?Key=A").url == f"https://{host}/Hook?Key=A"
    assert target_of(f"https://{host}").url == f"https://{host}/"
    assert target_of(f"https://{host}:1024?a=b").url == f"https://{host}:1024?a=b"


BAD_URLS = {
    "http://hooks.example.com/": "not_https",
    "https://user@hooks.example.com/": "invalid_format",
    "https://user:password@hooks.example.com/": "invalid_format",
    "https://hooks.example.com@127.0.0.1/": "invalid_format",
    "https://127.0.0.1\\@hooks.example.com/": "invalid_format",
    "https://hooks.example.com\\@127.0.0.1/": "invalid_format",
    "https://hooks.example.com#@127.0.0.1/": "invalid_format",
    "https://hooks.example.com/#there": "invalid_format",
    "https://hooks.example.com/a b": "invalid_format",
    "https://hooks.example.com/\u00e4": "invalid_format",
    "https://hooks.example.com/\nHost: x": "invalid_format",
    "https://b\u00fccher.de/": "invalid_format",
    "https:hooks.example.com": "invalid_format",
    "https:///hooks.example.com": "invalid_format",
    "//hooks.example.com/": "invalid_format",
    "/hook": "invalid_format",
    "": "invalid_format",
    "ftp://hooks.example.com/": "invalid_format",
    "file:///etc/passwd": "invalid_format",
    "gopher://hooks.example.com/": "invalid_format",
    "https://hooks.example.com:/": "invalid_format",
    "https://hooks.example.com:x/": "invalid_format",
    "https://hooks.example.com:+443/": "invalid_format",
    "https://hooks.example.com:443:443/": "invalid_format",
    "https://hooks.example.com:0/": "bad_port",
    "https://hooks.example.com:22/": "bad_port",
    "https://hooks.example.com:80/": "bad_port",
    "https://hooks.example.com:1023/": "bad_port",
    "https://hooks.example.com:65536/": "bad_port",
    "https://hooks.example.com:99999/": "bad_port",
    "https://-hooks.example.com/": "invalid_format",
    "https://hooks_.example.com/": "invalid_format",
    "https://hooks..example.com/": "invalid_format",
    f"https://{'a' * 64}.example.com/": "invalid_format",
    f"https://{'a.' * 127}example/": "invalid_format",
}


@pytest.mark.parametrize(("url", "reason"), BAD_URLS.items())
def test_a_url_that_is_not_plain_is_refused(url: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        target_of(url)
    assert refused.value.reason == reason


def test_for_development_any_place_is_good_and_still_a_url() -> None:
    for url in ("http://127.0.0.1:9/", "http://receiver:80/", "https://[::1]:22/", "http://localhost/"):
        assert target_of(url, anywhere=True).url == url
    for url in ("http://a@b/", "http://0x7f.1/", "ftp://receiver/", "http://127.0.0.1:0/"):
        with pytest.raises(Invalid):
            target_of(url, anywhere=True)


@given(st.ip_addresses())
def test_no_address_is_taken_that_the_standard_library_knows_as_special(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_no_ipv6_address_with_an_ipv4_address_within_is_public(address: IPv4Address) -> None:
    number = int(address)
    for text in (
        "::",
        "::ffff:0:0",
        "64:ff9b::",
        "64:ff9b:1::",
        "::ffff:0:0:0",
        "2a00::5efe:0:0",
        "2a00::200:5efe:0:0",
    ):
        assert not is_public(IPv6Address(int(IPv6Address(text)) + number)), text
    assert not is_public(IPv6Address(0x2002 << 112 | number << 80))
    assert not is_public(IPv6Address(0x20010000 << 96 | number ^ 0xFFFFFFFF))


@pytest.mark.parametrize("text", [*PUBLIC, *PUBLIC_6])
def test_a_plain_public_address_is_taken(text: str) -> None:
    address = address_of(text)
    assert address == ip_address(text)
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text", ["2130706433", "127.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.1.", "", "8.8.8.8 ", "a:b"]
)
def test_an_odd_spelling_is_no_address_to_a_connection(text: str) -> None:
    assert address_of(text) is None
