"""Seeds: the configuration file of Microsoft's emulator."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.model import MINUTE, EntityDescription, EntityKind, EntityStatus
from localzure.services.servicebus.properties import PROPERTIES
from localzure.services.servicebus.seed import EntitySeed, load_seed, parse_seed
from localzure.services.servicebus.seed_tree import SeedError, plain

MICROSOFTS_OWN = """
{
  // The file that comes with the emulator, with what its readers allow.
  "UserConfig": {
    "Namespaces": [
      {
        "Name": "sbemulatorns",
        "Queues": [
          {
            "Name": "queue.1",
            "Properties": {
              "DeadLetteringOnMessageExpiration": false,
              "DefaultMessageTimeToLive": "PT1H",
              "DuplicateDetectionHistoryTimeWindow": "PT20S",
              "ForwardDeadLetteredMessagesTo": "",
              "ForwardTo": "",
              "LockDuration": "PT1M",
              "MaxDeliveryCount": 3,
              "RequiresDuplicateDetection": false,
              "RequiresSession": false
            }
          },
        ],
        "Topics": [{"Name": "topic.1", "Properties": {}, "Subscriptions": []}, {"Name": "topic/2"}]
      }
    ],
    "Logging": { "Type": "File" } /* told to
    nobody */
  }
}
"""


ENTITY_ALLOWED = (
    "the name of another entity (letters, digits, '.', '-', '_' and '/', with a letter or digit first and last, up to "
    "260 characters), or empty"
)
SIZE_ALLOWED = "one of 1024, 2048, 3072, 4096, 5120, 10240, 16384, 20480, 32768, 40960, 49152, 65536, 81920"


def seed_of(*queues: Any) -> str:
    return json.dumps({"UserConfig": {"Namespaces": [{"Name": "ns", "Queues": list(queues)}]}})


def refusal(text: str) -> str:
    with pytest.raises(SeedError) as caught:
        parse_seed(text, "seed.json")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def property_refusal(name: str, value: object) -> str:
    return refusal(seed_of({"Name": "q", "Properties": {name: value}}))


def test_microsofts_own_file_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    queue, *topics = parse_seed(MICROSOFTS_OWN, "seed.json")
    assert queue.name == "queue.1"
    assert queue.description == EntityDescription(
        default_message_time_to_live=60 * MINUTE,
        duplicate_detection_history_time_window=20 * MICROSECONDS,
        max_delivery_count=3,
    )
    assert [(topic.kind, topic.name) for topic in topics] == [
        (EntityKind.TOPIC, "topic.1"),
        (EntityKind.TOPIC, "topic/2"),
    ]
    assert caplog.records == []


def test_a_queue_that_is_only_named_has_azures_defaults() -> None:
    assert parse_seed(seed_of({"Name": "a/b"}), "s") == (
        EntitySeed("a/b", EntityDescription(), "s: UserConfig.Namespaces[0].Queues[0]"),
    )


def test_names_of_keys_are_taken_in_any_case() -> None:
    text = '{"userConfig": {"namespaces": [{"queues": [{"name": "q", "properties": {"lockDuration": "PT5S"}}]}]}}'
    (queue,) = parse_seed(text, "s")
    assert queue.description.lock_duration == 5 * MICROSECONDS


def test_every_property_is_read() -> None:
    properties = {
        "LockDuration": "PT5M",
        "MaxSizeInMegabytes": 2048,
        "RequiresDuplicateDetection": True,
        "RequiresSession": True,
        "DefaultMessageTimeToLive": "P1D",
        "DeadLetteringOnMessageExpiration": True,
        "DuplicateDetectionHistoryTimeWindow": "P7D",
        "MaxDeliveryCount": 2000,
        "EnableBatchedOperations": False,
        "Status": "SendDisabled",
        "ForwardTo": "other",
        "UserMetadata": "mine",
        "AutoDeleteOnIdle": "PT5M",
        "EnablePartitioning": True,
        "ForwardDeadLetteredMessagesTo": "another",
        "EnableExpress": False,
        "MaxMessageSizeInKilobytes": 1024,
    }
    (queue,) = parse_seed(seed_of({"Name": "q", "Properties": properties}), "s")
    assert queue.description == EntityDescription(
        lock_duration=5 * MINUTE,
        max_size_megabytes=2048,
        requires_duplicate_detection=True,
        requires_session=True,
        default_message_time_to_live=24 * 60 * MINUTE,
        dead_lettering_on_message_expiration=True,
        duplicate_detection_history_time_window=7 * 24 * 60 * MINUTE,
        max_delivery_count=2000,
        enable_batched_operations=False,
        status=EntityStatus.SEND_DISABLED,
        forward_to="other",
        user_metadata="mine",
        auto_delete_on_idle=5 * MINUTE,
        enable_partitioning=True,
        forward_dead_lettered_messages_to="another",
        enable_express=False,
        max_message_size_kilobytes=1024,
    )


def test_properties_that_do_not_go_together_are_refused() -> None:
    told = refusal(seed_of({"Name": "q", "Properties": {"RequiresDuplicateDetection": True, "EnableExpress": True}}))
    assert told.startswith("seed.json: UserConfig.Namespaces[0].Queues[0].Properties: Both DelayedPersistence property")


def test_what_nobody_knows_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    parse_seed(seed_of({"Name": "q", "Properties": {"MaxDeliveryCnt": 3}}), "s.json")
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "s.json: UserConfig.Namespaces[0].Queues[0].Properties: unknown and left out: 'MaxDeliveryCnt'; known are "
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("LockDuration", "PT6M", "an ISO 8601 duration from PT5S to PT5M"),
        ("LockDuration", "PT1S", "an ISO 8601 duration from PT5S to PT5M"),
        ("LockDuration", "1 minute", "an ISO 8601 duration from PT5S to PT5M"),
        ("LockDuration", 60, "an ISO 8601 duration from PT5S to PT5M"),
        ("DefaultMessageTimeToLive", "PT0S", "an ISO 8601 duration from PT1S to P10675199DT2H48M5.4775807S"),
        ("MaxDeliveryCount", 0, "a whole number from 1 to 2000"),
        ("MaxDeliveryCount", "3", "a whole number from 1 to 2000"),
        ("MaxDeliveryCount", True, "a whole number from 1 to 2000"),
        ("MaxDeliveryCount", 2.5, "a whole number from 1 to 2000"),
        ("RequiresSession", "true", "true or false"),
        ("RequiresSession", 1, "true or false"),
        ("Status", "Asleep", "one of Active, Disabled, SendDisabled, ReceiveDisabled"),
        ("Status", 1, "one of Active, Disabled, SendDisabled, ReceiveDisabled"),
        ("UserMetadata", "x" * 1025, "a text of up to 1024 characters"),
        ("ForwardTo", ["x"], ENTITY_ALLOWED),
        ("ForwardTo", "not a name", ENTITY_ALLOWED),
        ("MaxSizeInMegabytes", 1000, SIZE_ALLOWED),
        ("MaxMessageSizeInKilobytes", 102401, "a whole number from 256 to 102400"),
    ],
)
def test_a_wrong_value_is_refused_with_place_value_and_what_is_allowed(name: str, value: object, allowed: str) -> None:
    place = f"seed.json: UserConfig.Namespaces[0].Queues[0].Properties.{name}"
    assert property_refusal(name, value) == (f"{place}: {json.dumps(value):.200} is not allowed, it must be {allowed}")


@pytest.mark.parametrize("name", ["", "-q", "q-", "q q", "ü", "$cbs", 5, None, "x" * 261, "q\n"])
def test_a_wrong_name_is_refused(name: object) -> None:
    assert refusal(seed_of({"Name": name})).startswith("seed.json: UserConfig.Namespaces[0].Queues[0]")


def test_a_name_is_given_once() -> None:
    text = refusal(seed_of({"Name": "q"}, {"Name": "Q"}))
    assert text == (
        'seed.json: UserConfig.Namespaces[0].Queues[1].Name: "Q" is not allowed, '
        "it must be a name that nothing else has"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "seed.json: neither 'servicebus' nor 'UserConfig' (Microsoft's form) is there"),
        ('{"UserConfig": {}, "UserConfig": {}}', "seed.json: the key 'UserConfig' is given twice in one object"),
        ("[]", "seed.json: [] is not allowed, it must be an object"),
        ('{"UserConfig": {}}', "seed.json: UserConfig: 'Namespaces' is missing"),
        (
            '{"UserConfig": {"Namespaces": {}}}',
            "seed.json: UserConfig.Namespaces: {} is not allowed, it must be an array",
        ),
        ('{"UserConfig":\n  oops}', "seed.json: line 2, column 3: Expecting value"),
        ('{"UserConfig": /* kept */\n  // kept\n  oops}', "seed.json: line 3, column 3: Expecting value"),
        ("[" * 100_000, "seed.json: nested too deep"),
    ],
)
def test_a_file_that_is_no_seed_is_refused(text: str, told: str) -> None:
    assert refusal(text) == told


def test_comment_signs_in_texts_are_text() -> None:
    seed = seed_of({"Name": "q", "Properties": {"UserMetadata": 'see http://x/*y*/ ",] "'}})
    assert parse_seed(seed, "s")[0].description.user_metadata == 'see http://x/*y*/ ",] "'


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match=r"missing\.json: no such file or directory"):
        load_seed(tmp_path / "missing.json")
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"x": "\xe9"}')
    with pytest.raises(SeedError, match=r"latin\.json: not UTF-8 text \(byte 7\)"):
        load_seed(latin)


def test_a_file_with_a_byte_order_mark_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    path.write_bytes(b"\xef\xbb\xbf" + MICROSOFTS_OWN.encode())
    assert load_seed(path)[0].name == "queue.1"


def test_durations_of_years_are_no_durations() -> None:
    assert "must be an ISO 8601 duration" in property_refusal("AutoDeleteOnIdle", "P1Y")


OWN_FORM = """
# Ours.
servicebus:
  queues:
    orders:
      lock_duration: PT30S
      MaxDeliveryCount: 5
      requires_session: true
      dead-lettering-on-message-expiration: yes
    Invoices/EU:
    plain: {}
"""


def test_a_seed_of_our_own_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text(OWN_FORM)
    orders = EntityDescription(
        lock_duration=30 * MICROSECONDS,
        max_delivery_count=5,
        requires_session=True,
        dead_lettering_on_message_expiration=True,
    )
    assert [(seed.name, seed.description) for seed in load_seed(path)] == [
        ("orders", orders),
        ("Invoices/EU", EntityDescription()),
        ("plain", EntityDescription()),
    ]


def test_a_seed_of_our_own_in_json_and_microsofts_in_yaml() -> None:
    text = '{"servicebus": {"queues": {"q": {"status": "Disabled", /* asleep */}}}}'
    (queue,) = parse_seed(text, "s")
    assert queue.description.status is EntityStatus.DISABLED
    yaml = "UserConfig: {Namespaces: [{Queues: [{Name: q, Properties: {MaxDeliveryCount: 4}}]}]}"
    (queue,) = parse_seed(yaml, "s", is_yaml=True)
    assert (queue.name, queue.description.max_delivery_count) == ("q", 4)


def test_a_seed_of_our_own_may_have_no_queues() -> None:
    assert parse_seed("servicebus: {}", "s", is_yaml=True) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "servicebus: {queues: {orders: {lock_duration: 30}}}",
            "seed.yaml: servicebus.queues.orders.lock_duration: 30 is not allowed, it must be an ISO 8601 duration",
        ),
        (
            "servicebus: {queues: {orders: {user_metadata: 2026-01-01}}}",
            'seed.yaml: servicebus.queues.orders.user_metadata: "2026-01-01" is not allowed, it must be a text of up',
        ),
        (
            "servicebus: {queues: [orders]}",
            'seed.yaml: servicebus.queues: ["orders"] is not allowed, it must be an object',
        ),
        (
            "servicebus: {queues: {orders: 5}}",
            "seed.yaml: servicebus.queues.orders: 5 is not allowed, it must be an object",
        ),
        ("servicebus:\n  q: 1\n  q: 2", "seed.yaml: line 2, column 3: the key 'q' is given twice in one object"),
        (
            "servicebus: {queues: {q: , Q: }}",
            'seed.yaml: servicebus.queues.Q: "Q" is not allowed, it must be a name that nothing else has',
        ),
        ("servicebus: [", "seed.yaml: line "),
        ("a: !!python/object:os.system {}", "seed.yaml: line 1, column 4: could not determine a constructor"),
        ("", "seed.yaml: null is not allowed, it must be an object"),
        ("[" * 10_000, "seed.yaml: "),
    ],
)
def test_a_wrong_seed_of_our_own_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(SeedError) as caught:
        parse_seed(text, "seed.yaml", is_yaml=True)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_what_nobody_knows_in_a_seed_of_our_own_is_told(caplog: pytest.LogCaptureFixture) -> None:
    parse_seed("servicebus: {queues: {q: {max_delivery: 3}}, relays: {}}", "s", is_yaml=True)
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "s: servicebus: unknown and left out: 'relays'; known are queues, topics"
    assert second.startswith(
        "s: servicebus.queues.q: unknown and left out: 'max_delivery'; known are AuthorizationRules, "
    )


DOCUMENT = Path(__file__).parents[4] / "docs" / "seeding.md"


def test_the_examples_of_the_documentation_are_seeds() -> None:
    text = DOCUMENT.read_text("utf-8")
    queues, keys, topics = re.findall(r"```yaml[^\n]*\n(.*?)```", text, re.DOTALL)
    (json_text,) = re.findall(r"```json[^\n]*\n(.*?)```", text, re.DOTALL)
    assert [seed.name for seed in parse_seed(queues, "s", is_yaml=True)] == ["orders", "invoices/eu", "plain"]
    assert [len(seed.description.authorization_rules) for seed in parse_seed(keys, "s", is_yaml=True)] == [1]
    assert [len(seed.rules) for seed in parse_seed(topics, "s", is_yaml=True)] == [0, 0, 3]
    assert [seed.name for seed in parse_seed(json_text, "s")] == ["orders"]


def test_the_documentation_has_every_property() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert sorted(plain(name) for name in documented) == sorted(
        {plain(row.name) for rows in PROPERTIES.values() for row in rows}
    )
