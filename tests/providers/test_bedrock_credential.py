"""AWS's keys: what is stored, what is signed, for which place; and that a secret is in no log and no word."""

import json
import logging
from datetime import UTC, datetime

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.providers._bedrock.address import Place, control_address, mantle_address, place_of, runtime_address
from aiservice.providers._bedrock.keys import KeyPair, normal_key, pair_in
from aiservice.providers._bedrock.signing import Signing
from aiservice.providers.bedrock import PROVIDER
from aiservice.wire import HttpCall
from tests.providers.bedrock_samples import ask
from tests.providers.sigv4 import expected_authorization

ACCESS, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2Vj" * 4
BASE = "https://bedrock-runtime.eu-west-1.amazonaws.com"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/ab12"


def signed(call: HttpCall, key: str = f"{ACCESS}:{SECRET}", base_url: str = BASE) -> dict[str, str]:
    return dict(PROVIDER.credential(Secret(key), base_url)(call))


@pytest.mark.parametrize("model", ["anthropic.claude-3-haiku-20240307-v1:0", ARN])
@pytest.mark.parametrize("token", ["", f":{TOKEN}"])
def test_a_call_is_signed_as_aws_signs_what_it_receives(model: str, token: str) -> None:
    call = PROVIDER.build(ask(), model)
    headers = signed(call, f"{ACCESS}:{SECRET}{token}")
    received = {"host": "bedrock-runtime.eu-west-1.amazonaws.com", **dict(call.headers), **headers}
    place = ("eu-west-1", "bedrock")
    assert headers["authorization"] == expected_authorization(
        ("POST", call.path), received, call.body, (ACCESS, SECRET), place
    )
    assert headers.get("x-amz-security-token") == (TOKEN if token else None)
    assert ("x-amz-security-token" in headers["authorization"]) is bool(token)


def test_the_vendors_own_example_is_signed_as_it_says() -> None:
    """The test suite of AWS, "get-vanilla": docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite."""
    moment = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    pair = KeyPair("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
    call = HttpCall("/", b"", method="GET", headers=())
    signing = Signing(pair, "https://example.amazonaws.com", Place("us-east-1", "service"), moment.timestamp)
    made = dict(signing(call))
    assert made["authorization"].endswith("Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")


def test_a_changed_body_path_or_place_is_another_signature() -> None:
    call = PROVIDER.build(ask(), "a.b")
    first = signed(call)["authorization"]
    assert signed(HttpCall(call.path, call.body + b" "))["authorization"] != first
    assert signed(HttpCall(call.path + "x", call.body))["authorization"] != first
    other = signed(call, base_url="https://bedrock-mantle.us-east-1.api.aws/v1")["authorization"]
    assert "/us-east-1/bedrock-mantle/aws4_request" in other


def test_one_that_signs_for_days_signs_each_with_that_days_key() -> None:
    days = [datetime(2026, 1, day, 23, 59, tzinfo=UTC).timestamp() for day in (1, 1, 2, 1)]
    call, made, clock = HttpCall("/model/a/converse", b"{}"), [], iter([days[0], *days])
    signing = Signing(KeyPair(ACCESS, SECRET, None), BASE, place_of(BASE), lambda: next(clock))
    for _ in days:
        made.append(dict(signing(call)))
        received = {"host": BASE.removeprefix("https://"), **dict(call.headers), **made[-1]}
        assert made[-1]["authorization"] == expected_authorization(
            ("POST", call.path), received, call.body, (ACCESS, SECRET), ("eu-west-1", "bedrock")
        )
    assert made[0] == made[1] == made[3] != made[2]


_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
_SEGMENTS = st.text("abz09.:-_~%", min_size=1, max_size=8)


_CALLS = st.builds(
    lambda method, path, query, headers, body: HttpCall(
        "/" + "/".join(path) + ("?" + "&".join(map("=".join, query)) if query else ""),
        body,
        method=method,
        headers=tuple(headers.items()),
    ),
    st.sampled_from(["GET", "POST"]),
    st.lists(_SEGMENTS, min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from("abz"), st.text("abz09", max_size=2)), max_size=3),
    st.dictionaries(st.sampled_from(["Accept", "content-type", "x-title"]), _VALUES),
    st.binary(max_size=40),
)


@given(
    st.lists(st.tuples(_CALLS, st.integers(0, 2**32)), min_size=1, max_size=4),
    st.sampled_from(["", TOKEN]),
    st.sampled_from(
        [BASE, "https://bedrock-mantle.us-east-1.api.aws/v1", "http://127.0.0.1:80", "https://10.0.0.1:8443"]
    ),
)
def test_whatever_is_signed_is_signed_as_awss_own_library_does(
    calls: list[tuple[HttpCall, int]], token: str, base_url: str
) -> None:
    """One that signs remembers: the calls go through the same one, at whatever times, each of them twice."""
    pair, place, now = KeyPair(ACCESS, SECRET, token or None), place_of(base_url), [0]
    signing = Signing(pair, base_url, place, lambda: now[0])
    for call, now[0] in [*calls, *calls]:
        request = AWSRequest(call.method, base_url + call.path, dict(call.headers), call.body)
        moment = datetime.fromtimestamp(now[0], UTC)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(auth, "get_current_datetime", lambda moment=moment: moment)
            auth.SigV4Auth(pair, place.service, place.region).add_auth(request)
        made = dict(signing(call))
        assert made.pop("authorization") == request.headers["Authorization"]
        assert made == {name.lower(): request.headers[name] for name in ("X-Amz-Date", "X-Amz-Security-Token")
                        if name in request.headers}  # fmt: skip


def test_one_that_signs_forgets_forms_before_they_are_too_many() -> None:
    signing = Signing(KeyPair(ACCESS, SECRET, None), BASE, place_of(BASE))
    for number in range(600):
        signing(HttpCall(f"/model/{number}/converse", b"{}"))
    assert len(signing._forms) <= 256


def test_no_secret_is_written_down(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        signed(PROVIDER.build(ask(), "a.b"), f"{ACCESS}:{SECRET}:{TOKEN}")
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text
    assert SECRET not in repr(pair_in(f"{ACCESS}:{SECRET}"))


def test_a_bedrock_key_is_sent_and_signs_nothing() -> None:
    key = "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl"
    assert signed(PROVIDER.build(ask(), "a.b"), key) == {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "given",
    [
        {"AccessKeyId": ACCESS, "SecretAccessKey": SECRET, "SessionToken": TOKEN, "Expiration": "2026-01-01"},
        {"Credentials": {"AccessKeyId": ACCESS, "SecretAccessKey": SECRET, "SessionToken": TOKEN}},
        {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET, "aws_session_token": TOKEN},
    ],
)
def test_what_aws_prints_as_json_is_stored_in_one_line(given: object) -> None:
    assert normal_key(json.dumps(given, indent=2).encode()) == f"{ACCESS}:{SECRET}:{TOKEN}".encode()


@pytest.mark.parametrize(
    "raw", [b"", b"short", b"{", b"{}", b"[1]", b"AKIA:short", ACCESS.encode(),
            f"{ACCESS} {SECRET}".encode(), "schlüssel".encode() * 9,
            json.dumps({"AccessKeyId": ACCESS}).encode()],
)  # fmt: skip
def test_what_is_no_key_is_refused_and_not_quoted(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no key of AWS's") as caught:
        normal_key(raw)
    assert ACCESS not in str(caught.value)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_key_or_refused(raw: bytes) -> None:
    try:
        made = normal_key(raw)
    except ValueError:
        return
    assert normal_key(made) == made


@pytest.mark.parametrize(
    ("base_url", "region", "service", "geography"),
    [
        (BASE, "eu-west-1", "bedrock", "eu"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", "bedrock", "us-gov"),
        ("https://vpce-1.bedrock-runtime.ap-northeast-1.vpce.amazonaws.com", "ap-northeast-1", "bedrock", "apac"),
        ("https://bedrock-mantle.us-east-1.api.aws/v1", "us-east-1", "bedrock-mantle", "us"),
        ("https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1", "us-west-2", "bedrock", "us"),
        ("https://bedrock-runtime.sa-east-1.amazonaws.com", "sa-east-1", "bedrock", "global"),
        ("http://127.0.0.1:9000", "us-east-1", "bedrock", "us"),
    ],
)
def test_an_address_says_region_and_service(base_url: str, region: str, service: str, geography: str) -> None:
    place = place_of(base_url)
    assert (place.region, place.service, place.geography) == (region, service, geography)


def test_a_region_alone_is_an_address() -> None:
    assert runtime_address("eu-west-1") == BASE
    assert runtime_address("cn-north-1").endswith(".amazonaws.com.cn")
    assert runtime_address(BASE + "/") == BASE
    assert mantle_address("us-east-1") == "https://bedrock-mantle.us-east-1.api.aws/v1"
    assert control_address(BASE) == "https://bedrock.eu-west-1.amazonaws.com"
    assert control_address("https://bedrock-runtime-fips.us-east-1.amazonaws.com") == (
        "https://bedrock-fips.us-east-1.amazonaws.com"
    )


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:9000", "https://bedrock-runtime.corp.example", "https://bedrock-runtime.us-east-1.evil.example",
     "https://bedrock-runtime.us-east-1.amazonaws.com.evil.example", f"{BASE}/proxied", f"{BASE}:8443"],
)  # fmt: skip
def test_a_key_goes_to_no_host_that_nobody_named(base_url: str) -> None:
    assert control_address(base_url) == base_url
