"""URLs: a plain one is what the standard library takes it for, and what two might read differently is none."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.urls import url_of

hosts = (
    st.from_regex(r"[a-zA-Z0-9]{1,9}(\.[a-zA-Z][a-zA-Z0-9]{0,5}){1,3}", fullmatch=True)
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(lambda address: f"[{address}]")
)
visible = st.text([chr(each) for each in range(33, 127) if chr(each) not in '#\\<>"{}|^`?'], max_size=20)


@given(st.sampled_from(["http", "https", "HTTPS"]), hosts, st.none() | st.integers(0, 65535), visible, visible, visible)
def test_a_plain_url_is_taken_apart_as_libraries_do(
    scheme: str, host: str, port: int | None, path: str, query: str, fragment: str
) -> None:
    text = f"{scheme}://{host}" + (f":{port}" if port is not None else "") + f"/{path}?{query}#{fragment}"
    found, read = url_of(text), urlsplit(text)
    assert found is not None
    assert (found.scheme, found.host.strip("[]"), found.port) == (read.scheme, read.hostname, read.port)
    assert found.authority == read.netloc.lower()
    assert (found.rest, found.fragment) == (f"{read.path}?{query}", read.fragment)
    assert found.address is None or found.address == ip_address(read.hostname or "")


@given(st.text(max_size=40) | st.text("htps:/@[]?#.:a1\\%", max_size=40))
def test_whatever_is_taken_for_a_url_libraries_read_alike(text: str) -> None:
    for each in (text, f"https://{text}"):
        found = url_of(each)
        if found is not None:
            read = urlsplit(each)
            assert (found.scheme, found.authority) == (read.scheme, read.netloc.lower())
            assert (read.username, read.password) == (None, None)


def test_without_a_path_a_port_and_a_fragment_there_is_none() -> None:
    found = url_of("https://Shop.example")
    assert found is not None
    assert (found.host, found.port, found.rest, found.fragment) == ("shop.example", None, "", None)
    assert (url_of("https://shop.example#") or found).fragment == ""


@pytest.mark.parametrize(
    "text", ["", "https://", "https://a b/", "https://a@b/", "https://0x7f.1/", "https://a/\u00e4"]
)
def test_what_is_not_plain_is_none(text: str) -> None:
    assert url_of(text) is None
