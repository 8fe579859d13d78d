"""What may leave: paths, headers and the provider's key."""

import copy
import pickle
import traceback

import pytest

from aiservice import errors
from aiservice.kit.secret import Secret
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.outgoing import (
    ALLOWED_HEADERS,
    KeyHeader,
    auth_headers,
    checked_headers,
    checked_path,
    clean_provider_key,
)
from tests.upstream.conftest import CALL, KEY

GOOD_PATHS = [
    "/chat/completions",
    "/models",
    "/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
    "/models/meta%3Allama-3.1:generateContent",
    "/openai/deployments/gpt-5/chat/completions?api-version=2025-01-01-preview",
    "/model/anthropic.claude-v2%3A1/invoke",
    "/accounts/a/models/@cf/meta/llama-3",
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123/converse",
    "/model/arn%3Aaws-us-gov%3Abedrock%3Aus-gov-west-1%3A%3Afoundation-model%2Fanthropic.claude-v2%3A1/converse",
]
BAD_PATHS = [
    "http://evil.example/",
    "https://evil.example/v1",
    "//evil.example/",
    "///evil.example",
    "//evil.example@x/",
    "/\\evil.example",
    "\\\\evil.example",
    "/../admin",
    "/v1/../../admin",
    "/..",
    "/.",
    "/./x",
    "/a/..",
    "/a/../b",
    "/a/./b",
    "/%2e%2e/admin",
    "/%2E%2E/admin",
    "/.%2e/admin",
    "/a/%2e%2e/b",
    "/a%2f..%2fb",
    "/a%2Fb",
    "/a%5cb",
    "/a%5Cb",
    "/a%00b",
    "/a%0d%0ab",
    "/a%0Ab",
    "/a%",
    "/a%z1",
    "/a%1",
    "/a//b",
    "/a/",
    "/",
    "?x=1",
    "/?x=1",
    "#x",
    "/a#x",
    "/a?x#y",
    "models",
    "a/b",
    "@evil.example",
    ":8080/x",
    ".evil.example",
    "-x",
    "/a|b",
    '/a"b',
    "/a<b",
    "/a>b",
    "/a^b",
    "/a`b",
    "/a{b}",
    "/a[b]",
    "/a;b/../c",
    "/модель",
    "/a/%2e",
    "/a/%2E%2E",
    "/..;/x/..",
    "//",
    "/a?next=http://evil.example\\",
    "/a?<x>",
    "/%2e",
    "/%2F/evil.example",
    "/%5c%5cevil.example",
    "/model/arn%3Aaws%3Abedrock%3A%3A%3Aprofile%2F..%2F..%2Fadmin/converse",
    "/model/arn%3Aaws%3Abedrock%3A%3A%3Aprofile%2Fa%2Fb/converse",
    "/model/arn%3Aaws%3Abedrock%3A%3A%3A..%2Fadmin/converse",
    "/x-arn%3Aaws%3Abedrock%3A%3A%3Aprofile%2Fa/converse",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:x",
]
BAD_PATHS += ["", " /a", "/a b", "/a\tb", "/a\r\nhost: evil", "/a\nb", "/a\x00b", "/a\x7f", "/a?b c", "/" + "a" * 3000]


@pytest.mark.parametrize("path", GOOD_PATHS)
def test_paths_of_providers_pass(path: str) -> None:
    assert checked_path(path) == path


@pytest.mark.parametrize("path", BAD_PATHS)
def test_t35_a_path_cannot_leave_its_place(path: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        checked_path(path)


def test_there_are_sixty_path_tricks() -> None:
    assert len(BAD_PATHS) >= 60


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nx: y", "a\x00", "é", "\x7f", "\t", "a" * 257, "\ud800"])
@pytest.mark.parametrize("name", sorted(ALLOWED_HEADERS))
def test_t40_header_values_are_short_printable_ascii(name: str, value: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        checked_headers(((name, value),))
    assert caught.value.param == name


FOREIGN = [
    "authorization",
    "cookie",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "openai-organization",
    "openai-project",
]
FOREIGN += [
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-forwarded-for",
    "te",
    "upgrade",
    "proxy-authorization",
    "accept-encoding",
    "user-agent",
]


@pytest.mark.parametrize("name", [*FOREIGN, "x y", "x:y", "", "x\r\ny"])
def test_t40_headers_off_the_list_are_refused(name: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        checked_headers(((name, "x"),))


def test_t45_every_call_asks_for_an_unencoded_answer() -> None:
    assert ("accept-encoding", "identity") in checked_headers((("Content-Type", "application/json"),))


@pytest.mark.parametrize(
    "text", ["", " ", "sk a", "sk\nb", "sk\r\nx: y", "sk\tb", "sk-é", "sk\x00", "a" * 4097, "s\u200bk"]
)
def test_t24_a_key_that_cannot_be_sent_is_refused_when_it_is_saved(text: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        clean_provider_key(text)
    assert caught.value.param == "key"
    assert not text.strip() or text.strip() not in str(caught.value)


def test_a_pasted_key_loses_the_white_space_around_it() -> None:
    assert clean_provider_key(f"  {KEY}\r\n") == Secret(KEY)


def test_t24_the_key_is_in_no_repr() -> None:
    auth = KeyHeader(Secret(KEY))
    assert KEY not in repr(auth) + str(auth) + f"{auth}"
    with pytest.raises(TypeError):
        pickle.dumps(copy.copy(auth))


@pytest.mark.parametrize("value", [b"sk\nb", b"sk\xff", "sk-é".encode(), b"sk\x00"])
def test_t24_a_stored_key_that_cannot_be_sent_fails_without_being_shown(value: bytes) -> None:
    with pytest.raises(UpstreamFailure, match="upstream_credential_invalid") as caught:
        auth_headers(KeyHeader(Secret(value)), CALL)
    assert "sk" not in "".join(traceback.format_exception(caught.value)).replace("ask", "").replace("task", "")


@pytest.mark.parametrize("name", ["host", "cookie", "x y", "Authorization", "x-api-key\r\n"])
def test_only_headers_that_authenticate_can_carry_a_key(name: str) -> None:
    with pytest.raises(ValueError, match="authenticates"):
        KeyHeader(Secret(KEY), name)
