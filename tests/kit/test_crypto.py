"""Envelopes open only for what they were made for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit import crypto

FIELDS: dict[str, str | int] = {
    "owner": "cli_1",
    "row": "con_1",
    "provider": "openai",
    "base_url": "https://api.openai.com",
    "revision": 1,
}
names = st.text(min_size=0, max_size=8)
field_sets = st.dictionaries(names, names, max_size=4)


def test_what_was_sealed_opens() -> None:
    key, aad = crypto.new_key(), crypto.bind("provider_key", FIELDS)
    assert crypto.unseal(key, crypto.seal(key, b"sk-secret", aad), aad) == b"sk-secret"


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_another_value_of_any_bound_field_does_not_open(field: str) -> None:
    key = crypto.new_key()
    sealed = crypto.seal(key, b"sk-secret", crypto.bind("provider_key", FIELDS))
    with pytest.raises(crypto.BadEnvelope):
        crypto.unseal(key, sealed, crypto.bind("provider_key", {**FIELDS, field: "other"}))


def test_another_purpose_does_not_open() -> None:
    key = crypto.new_key()
    sealed = crypto.seal(key, b"sk-secret", crypto.bind("provider_key", FIELDS))
    with pytest.raises(crypto.BadEnvelope):
        crypto.unseal(key, sealed, crypto.bind("client_key_copy", FIELDS))


def test_every_changed_byte_and_every_cut_is_noticed() -> None:
    key, aad = crypto.new_key(), crypto.bind("provider_key", FIELDS)
    sealed = crypto.seal(key, b"sk-secret", aad)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        for envelope in (changed, sealed[:at]):
            with pytest.raises(crypto.BadEnvelope):
                crypto.unseal(key, envelope, aad)


def test_a_data_key_unwraps_only_under_its_own_version_of_the_master_key() -> None:
    kek, dek, aad = crypto.new_key(), crypto.new_key(), crypto.bind("provider_key", FIELDS)
    wrapped = crypto.wrap(kek, 1, dek, aad)
    assert crypto.unwrap(kek, 1, wrapped, aad) == dek
    for other_kek, version in ((kek, 2), (crypto.new_key(), 1)):
        with pytest.raises(crypto.BadEnvelope):
            crypto.unwrap(other_kek, version, wrapped, aad)


@given(names, field_sets, names, field_sets)
def test_no_two_bindings_share_their_bytes(
    purpose: str, fields: dict[str, str], other_purpose: str, other_fields: dict[str, str]
) -> None:
    is_same = (purpose, fields) == (other_purpose, other_fields)
    assert (crypto.bind(purpose, fields) == crypto.bind(other_purpose, other_fields)) is is_same


def test_hkdf_is_the_one_of_rfc_5869() -> None:
    # Test case 3: no salt, no info, SHA-256.
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert crypto.hkdf(b"\x0b" * 22, b"", 42).hex() == expected


def test_check_values_recognise_a_key() -> None:
    key = crypto.new_key()
    assert crypto.check_value(key) == crypto.check_value(key)
    assert crypto.check_value(key) != crypto.check_value(crypto.new_key())
