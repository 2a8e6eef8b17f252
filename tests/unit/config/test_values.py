"""How single values are read."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.config import values
from localzure.config.options import OPTIONS, Option
from localzure.config.settings import SERVICES, SharedAccessKey, StorageAccount

BASE = Path("/base")

ACCEPTED: list[tuple[values.Reader, Any, Any]] = [
    (values.port, "0", 0),
    (values.port, 65535, 65535),
    (values.port, " 80 ", 80),
    (values.all_ports, 0, 0),
    (values.boolean, True, True),
    (values.boolean, "Yes", True),
    (values.boolean, "off", False),
    (values.boolean, 0, False),
    (values.size, 12, 12),
    (values.size, "0", 0),
    (values.size, "10 MiB", 10 * 1024**2),
    (values.size, "2GiB", 2 * 1024**3),
    (values.auth_level, False, "off"),
    (values.auth_level, "Verify", "verify"),
    (values.auth_level, "rbac", "rbac"),
    (values.host, "0.0.0.0", "0.0.0.0"),
    (values.host, "fe80::1%eth0", "fe80::1%eth0"),
    (values.host, "localhost", "localhost"),
    (values.path, "a/b", BASE / "a/b"),
    (values.path, "/a", Path("/a")),
    (values.path, "~", Path.home()),
    (values.paths, ["a", "/b"], (BASE / "a", Path("/b"))),
    (values.paths, "a", (BASE / "a",)),
    (values.levels, "debug", ("debug", {})),
    (values.levels, "WARNING, a.b = Debug", ("warning", {"a.b": "debug"})),
    (values.levels, "a.b=error", ("info", {"a.b": "error"})),
    (values.levels, {"default": "error", "a": "debug"}, ("error", {"a": "debug"})),
    (values.services, "servicebus,blob", ("blob", "servicebus")),
    (values.services, ["servicebus"], ("servicebus",)),
    (values.services, {"blob": False}, ("queue", "table", "servicebus")),
    (values.services, {}, ("blob", "queue", "table", "servicebus")),
    (values.accounts, {"abc": "YQ=="}, (StorageAccount("abc", ("YQ==",)),)),
    (values.accounts, {"abc": ["YQ==", "Yg=="]}, (StorageAccount("abc", ("YQ==", "Yg==")),)),
    (values.accounts, {"abc": {"keys": "YQ=="}}, (StorageAccount("abc", ("YQ==",)),)),
    (
        values.accounts,
        {"abc": {"keys": ["YQ=="], "kind": "BlobStorage", "versioning": True, "container_retention_days": 7}},
        (StorageAccount("abc", ("YQ==",), "BlobStorage", versioning=True, container_retention_days=7),),
    ),
    (values.text, "SAS_KEY_VALUE", "SAS_KEY_VALUE"),
    (values.access_keys, {"r": {"key": "k", "rights": ["listen"]}}, (SharedAccessKey("r", "k", ("Listen",)),)),
    (
        values.access_keys,
        {"a": {"key": "k", "rights": ["Manage"]}, "b": {"key": "l", "rights": ["Send", "Listen"]}},
        (SharedAccessKey("a", "k"), SharedAccessKey("b", "l", ("Listen", "Send"))),
    ),
]

REFUSED: list[tuple[values.Reader, Any, str]] = [
    (values.port, "-1", "expected an integer from 0 to 65535, or off, got '-1'"),
    (values.port, True, "expected an integer from 0 to 65535, or off, got True"),
    (values.port, 1.0, "expected an integer from 0 to 65535, or off, got 1.0"),
    (values.port, "1_0", "expected an integer"),
    (values.port, "\u0661", "expected an integer"),
    (values.port, "9" * 10_000, "expected an integer"),
    (values.all_ports, False, "expected 0"),
    (values.boolean, "maybe", "expected true or false, got 'maybe'"),
    (values.boolean, None, "expected true or false, got None"),
    (values.size, "10 MB", "expected a size such as"),
    (values.size, True, "expected a size such as"),
    (values.auth_level, True, "expected one of off, any, verify, rbac, got True"),
    (values.host, "", "expected an IP address or a host name, got ''"),
    (values.host, "a b", "expected an IP address"),
    (values.host, 5, "expected an IP address"),
    (values.path, "", "expected a path, got ''"),
    (values.path, "a\0b", "expected a path"),
    (values.path, 5, "expected a path"),
    (values.path, "~nobody-of-this-name/x", "expected a path (there is no such home folder)"),
    (values.paths, {"a": 1}, "expected a path or a list of paths"),
    (values.paths, ["a", 5], "expected a path, got 5"),
    (values.levels, "loud", "expected one of debug, info, warning, error, critical, got 'loud'"),
    (values.levels, "debug,info", "expected a level, or LEVEL,LOGGER=LEVEL"),
    (values.levels, "=debug", "expected a level, or LEVEL,LOGGER=LEVEL"),
    (values.services, "frogs", "no service is called 'frogs'; known: blob, queue, table, servicebus"),
    (values.services, "blobs", "no service is called 'blobs'; did you mean 'blob'?"),
    (values.services, {"blob": "no"}, "expected true or false, got 'no'"),
    (values.services, dict.fromkeys(SERVICES, False), "every service is off"),
    (values.services, [], "every service is off"),
    (values.services, 5, "expected service names"),
    (values.accounts, {}, "expected a mapping from account name"),
    (values.accounts, "x", "expected a mapping from account name"),
    (values.accounts, {"AB": "YQ=="}, "expected an account name of 3 to 24 lower-case letters and digits"),
    (values.accounts, {"abc": "!!"}, "expected one or two keys in base64"),
    (values.accounts, {"abc": ""}, "expected one or two keys in base64"),
    (values.accounts, {"abc": []}, "expected one or two keys in base64"),
    (values.accounts, {"abc": {}}, "expected one or two keys in base64"),
    (values.accounts, {"abc": {"keys": "YQ==", "sort": 1}}, "unknown key 'sort'"),
    (values.accounts, {"abc": {"keys": "YQ==", "kind": "Big"}}, "expected one of StorageV2"),
    (values.accounts, {"abc": {"keys": "YQ==", "versioning": 1}}, "expected true or false"),
    (values.accounts, {"abc": {"keys": "YQ==", "immutable_storage": "no"}}, "expected true or false"),
    (values.accounts, {"abc": {"keys": "YQ==", "default_version": "today"}}, "expected a version"),
    (values.accounts, {"abc": {"keys": "YQ==", "blob_retention_days": -1}}, "expected 0 to 365 days"),
    (values.accounts, {"abc": {"keys": "YQ==", "container_retention_days": 366}}, "expected 0 to 365 days"),
    (values.accounts, {"abc": ["YQ==", 5]}, "expected one or two keys in base64"),
    (values.accounts, {"abc": ["YQ==", "YQ==", "YQ=="]}, "expected one or two keys in base64"),
    (values.text, "a;b", "expected 1 to 256 characters"),
    (values.text, 5, "expected 1 to 256 characters"),
    (values.access_keys, ["k"], "expected a mapping from the name of a key to its key and rights"),
    (values.access_keys, {"r": "k"}, "expected a mapping with key and rights"),
    (values.access_keys, {"r": {"key": "k"}}, "expected a mapping with key and rights"),
    (values.access_keys, {"r": {"key": "a;b", "rights": ["Send"]}}, "expected 1 to 256 characters"),
    (values.access_keys, {"r": {"key": "k", "rights": "Send"}}, "expected a list of some of Listen, Send, Manage"),
    (values.access_keys, {"r": {"key": "k", "rights": ["Read"]}}, "expected a list of some of Listen, Send, Manage"),
]


@pytest.mark.parametrize(("reader", "raw", "value"), ACCEPTED)
def test_accepted(reader: values.Reader, raw: Any, value: Any) -> None:
    assert reader(raw, BASE) == value


@pytest.mark.parametrize(("reader", "raw", "said"), REFUSED)
def test_refused(reader: values.Reader, raw: Any, said: str) -> None:
    with pytest.raises(values.RefusedError) as caught:
        reader(raw, BASE)
    assert str(caught.value).startswith(said)


def test_a_refusal_inside_a_value_says_where() -> None:
    for reader, raw, at in [
        (values.services, {"blob": 5}, "blob"),
        (values.levels, {"a.b": "loud"}, "a.b"),
        (values.accounts, {"abc": "!"}, "abc"),
    ]:
        with pytest.raises(values.RefusedError) as caught:
            reader(raw, BASE)
        assert caught.value.at == at


def test_no_refusal_shows_a_key() -> None:
    for reader, raw in [
        (values.accounts, {"abc": "planted-key!"}),
        (values.accounts, "planted-key"),
        (values.text, "planted-key;"),
    ]:
        with pytest.raises(values.RefusedError) as caught:
            reader(raw, BASE)
        assert "planted" not in str(caught.value)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text() | st.integers(), children, max_size=3),
    max_leaves=6,
)


@given(raw=trees, option=st.sampled_from(OPTIONS))
def test_any_tree_is_read_or_refused(raw: Any, option: Option) -> None:
    with suppress(values.RefusedError):  # any other exception fails
        option.read(raw, BASE)


def test_a_version_is_a_date_to_yaml() -> None:
    given = {"abc": {"keys": "YQ==", "default_version": date(2026, 2, 6), "immutable_storage": False}}
    assert values.accounts(given, Path()) == (
        StorageAccount("abc", ("YQ==",), immutable_storage=False, default_version="2026-02-06"),
    )
