"""Which addresses a provider connection may have, and which it may reach."""

import ipaddress

import pytest

from aiservice import errors
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.guard import ParsedBase, check_base_url, is_allowed, resolve_allowed
from tests.upstream.conftest import Names

PUBLIC = ["8.8.8.8", "1.1.1.1", "104.18.6.192", "2606:4700::6812:6c0", "64:ff9b::808:808", "::ffff:8.8.8.8"]
PRIVATE = ["127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"]
PRIVATE += ["::1", "fd12:3456::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"]
NEVER = ["169.254.169.254", "169.254.170.2", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "240.0.0.1"]
NEVER += ["fd00:ec2::254", "fd20:ce::254", "fe80::1", "ff02::1", "::", "100.100.100.200", "192.0.0.192"]
NEVER += [
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::",
    "168.63.129.16",
]
NEVER += ["2001:db8::1", "2001::1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "::7f00:1"]
NEVER += ["4000::1", "fec0::1", "fe80::1%eth0"]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_allowed(text: str) -> None:
    assert is_allowed(ipaddress.ip_address(text), is_private_allowed=False)


@pytest.mark.parametrize("text", PRIVATE)
def test_t31_private_addresses_need_the_mark(text: str) -> None:
    assert not is_allowed(ipaddress.ip_address(text), is_private_allowed=False)
    assert is_allowed(ipaddress.ip_address(text), is_private_allowed=True)


@pytest.mark.parametrize("text", NEVER)
def test_t31_metadata_and_reserved_addresses_are_refused_even_with_the_mark(text: str) -> None:
    assert not is_allowed(ipaddress.ip_address(text), is_private_allowed=False)
    assert not is_allowed(ipaddress.ip_address(text), is_private_allowed=True)


# Other ways to write 127.0.0.1, 169.254.169.254 or a name that is not what it seems.
TRICKS = [
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://0x/",
    "https://127.0.0.1.:443/",
    "https://api.example.com./",
    "https://2852039166/",
    "https://user@api.example.com/",
    "https://user:pw@api.example.com/",
    "https://api.example.com@127.0.0.1/",
    "https://@api.example.com/",
    "https://[::1",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
    "https://[::ffff:7f00:1]x/",
    "https://[127.0.0.1]/",
    "https://[v1.a]/",
    "https://api.example.com/?x=1",
    "https://api.example.com/?",
    "https://api.example.com/#x",
    "https://api.example.com#",
    "https://api.example.com:0/",
    "https://api.example.com:/",
    "https://api.example.com:99999/",
    "https://api.example.com:x/",
    "https://api.example.com/../x",
    "https://api.example.com/a/./b",
    "https://api.example.com//evil.example",
    "https://api.example.com/%2e%2e/x",
    "https://api.example.com/a%2fb",
    "https://api.example.com/a\\b",
    "https:\\\\api.example.com",
    "https://%31%32%37.0.0.1/",
    "https://ex%61mple.com/",
    "https://-a.example/",
    "https://a-.example/",
    "https://a..example/",
    "https:///v1",
    "https://exa$mple.com/",
    "ftp://api.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "//api.example.com/",
    "api.example.com",
    "javascript:alert(1)",
    "https:",
    "https://",
    "unix:/run/x.sock",
    "https://api.example.com;evil/",
    "https://1.2.3/",
    "https://1.2.3.256/",
]
TRICKS += [
    "https://api.example.com/ x",
    "https://api.example.com\t/",
    "https://api.exa\nmple.com/",
    "https://api.example.com/\x00",
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://bücher.example/",
    "https://аpi.example.com/",
    "https://" + "a" * 600 + ".example/",
    "https://" + ".".join(["a" * 60] * 5) + "/",
    " https://api.example.com/",
    "",
]


@pytest.mark.parametrize("is_private_allowed", [False, True])
@pytest.mark.parametrize("url", TRICKS)
def test_t31_addresses_written_in_odd_ways_are_refused_at_save(url: str, is_private_allowed: bool) -> None:
    with pytest.raises((errors.InvalidRequest, errors.Unprocessable)):
        check_base_url(url, is_private_allowed)


@pytest.mark.parametrize("host", [*(p for p in PRIVATE if ":" not in p), *(f"[{p}]" for p in PRIVATE if ":" in p)])
def test_t31_a_private_literal_is_refused_at_save_without_the_mark(host: str) -> None:
    with pytest.raises(errors.Unprocessable):
        check_base_url(f"https://{host}/v1", is_private_allowed=False)
    assert check_base_url(f"http://{host}:9000/v1", is_private_allowed=True).port == 9000


def test_plain_http_needs_the_mark() -> None:
    with pytest.raises(errors.Unprocessable):
        check_base_url("http://api.example.com/v1", is_private_allowed=False)


def test_a_checked_url_is_in_its_normal_form() -> None:
    assert check_base_url("https://API.Example.com:443/v1/").url == "https://api.example.com/v1"
    assert check_base_url("https://xn--bcher-kva.example").url == "https://xn--bcher-kva.example"
    assert (
        check_base_url("https://api.example.com:8443/v1beta/openai/").url
        == "https://api.example.com:8443/v1beta/openai"
    )
    assert check_base_url("http://[::1]:11434/v1", True).url == "http://[::1]:11434/v1"
    assert check_base_url("http://[0:0:0:0:0:0:0:1]", True).host == "::1"
    assert check_base_url("http://model_server:8000/v1", True).host == "model_server"


BASE = ParsedBase("https", "api.example.com", 443, "/v1")


async def test_t32_one_look_up_and_every_answer_must_be_allowed(names: Names) -> None:
    names.addresses["api.example.com"] = ["8.8.8.8", "127.0.0.1"]
    with pytest.raises(UpstreamFailure, match="upstream_address_refused"):
        await resolve_allowed(BASE, False, names)
    assert names.asked == ["api.example.com"]


async def test_answers_keep_their_order_and_lose_doubles(names: Names) -> None:
    names.addresses["api.example.com"] = ["2606:4700::1", "8.8.8.8", "8.8.8.8"]
    assert await resolve_allowed(BASE, False, names) == ["2606:4700::1", "8.8.8.8"]


@pytest.mark.parametrize("answers", [[], ["not an address"]])
async def test_no_usable_answer_is_a_failed_look_up(names: Names, answers: list[str]) -> None:
    names.addresses["api.example.com"] = answers
    with pytest.raises(UpstreamFailure, match="upstream_dns_failed"):
        await resolve_allowed(BASE, False, names)


async def test_an_unknown_name_is_a_failed_look_up(names: Names) -> None:
    with pytest.raises(UpstreamFailure, match="upstream_dns_failed"):
        await resolve_allowed(BASE, False, names)


async def test_a_metadata_answer_is_refused_on_a_private_connection_too(names: Names) -> None:
    names.addresses["api.example.com"] = ["169.254.169.254"]
    with pytest.raises(UpstreamFailure, match="upstream_address_refused"):
        await resolve_allowed(BASE, True, names)


async def test_t36_plain_http_never_goes_to_a_public_address(names: Names) -> None:
    names.addresses["api.example.com"] = ["8.8.8.8"]
    with pytest.raises(UpstreamFailure, match="upstream_address_refused"):
        await resolve_allowed(ParsedBase("http", "api.example.com", 80, ""), True, names)


async def test_the_system_resolver_knows_the_loopback() -> None:
    addresses = await resolve_allowed(ParsedBase("http", "localhost", 80, ""), True)
    assert set(addresses) <= {"127.0.0.1", "::1"}
