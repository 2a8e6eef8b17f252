"""Queues made, described, listed, changed and deleted over the administration API."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.model import EntityDescription, EntityStatus
from localzure.services.servicebus.seed import EntitySeed
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_admin_world import AdminWorld, entry

EVERY_PROPERTY = {
    "LockDuration": "PT2M",
    "MaxSizeInMegabytes": "3072",
    "RequiresDuplicateDetection": "true",
    "RequiresSession": "true",
    "DefaultMessageTimeToLive": "P14DT1S",
    "DeadLetteringOnMessageExpiration": "true",
    "DuplicateDetectionHistoryTimeWindow": "PT20M",
    "MaxDeliveryCount": "7",
    "EnableBatchedOperations": "false",
    "Status": "SendDisabled",
    "ForwardTo": "sb://localhost:5300/kept",
    "UserMetadata": ' <mine> & "yours"\n',
    "AutoDeleteOnIdle": "PT5M0.5S",
    "EnablePartitioning": "true",
    "ForwardDeadLetteredMessagesTo": "https://localhost:5300/KEPT",
    "EnableExpress": "false",
    "MaxMessageSizeInKilobytes": "256",
}

DEFAULTS = {
    "LockDuration": "PT1M",
    "MaxSizeInMegabytes": "1024",
    "RequiresDuplicateDetection": "false",
    "RequiresSession": "false",
    "DefaultMessageTimeToLive": "P10675199DT2H48M5.4775807S",
    "DeadLetteringOnMessageExpiration": "false",
    "DuplicateDetectionHistoryTimeWindow": "PT10M",
    "MaxDeliveryCount": "10",
    "EnableBatchedOperations": "true",
    "SizeInBytes": "0",
    "MessageCount": "0",
    "IsAnonymousAccessible": "false",
    "AuthorizationRules": "",
    "Status": "Active",
    "ForwardTo": None,
    "UserMetadata": None,
    "AccessedAt": "0001-01-01T00:00:00Z",
    "SupportOrdering": "true",
    "AutoDeleteOnIdle": "P10675199DT2H48M5.4775807S",
    "EnablePartitioning": "false",
    "EntityAvailabilityStatus": "Available",
    "ForwardDeadLetteredMessagesTo": None,
    "EnableExpress": "false",
    "MaxMessageSizeInKilobytes": "256",
    "ActiveMessageCount": "0",
    "DeadLetterMessageCount": "0",
    "ScheduledMessageCount": "0",
    "TransferMessageCount": "0",
    "TransferDeadLetterMessageCount": "0",
}


@pytest.fixture
def admin() -> AdminWorld:
    return AdminWorld()


def test_a_queue_without_properties_has_azures_defaults(admin: AdminWorld) -> None:
    created = admin.create("q")
    assert created.status == 201
    got = admin.get("q")
    assert got.status == 200
    assert {name: got.value(name) for name in DEFAULTS} == DEFAULTS
    assert got.value("CreatedAt") == got.value("UpdatedAt") == "2026-01-01T00:00:00.0000000Z"
    assert got.text == created.text


def test_every_property_comes_back_as_it_was_given(admin: AdminWorld) -> None:
    assert admin.create("q", **EVERY_PROPERTY).status == 201
    got = admin.get("q")
    assert {name: got.value(name) for name in EVERY_PROPERTY} == EVERY_PROPERTY
    assert got.value("SupportOrdering") == "false"


def test_the_elements_are_in_the_order_of_azures_contract(admin: AdminWorld) -> None:
    (description,) = admin.create("q", **EVERY_PROPERTY).root[-1]
    names = [child.tag.partition("}")[2] for child in description]
    assert names == [
        "LockDuration", "MaxSizeInMegabytes", "RequiresDuplicateDetection", "RequiresSession",
        "DefaultMessageTimeToLive", "DeadLetteringOnMessageExpiration", "DuplicateDetectionHistoryTimeWindow",
        "MaxDeliveryCount", "EnableBatchedOperations", "SizeInBytes", "MessageCount", "IsAnonymousAccessible",
        "AuthorizationRules", "Status", "ForwardTo", "UserMetadata", "CreatedAt", "UpdatedAt", "AccessedAt",
        "SupportOrdering", "CountDetails", "AutoDeleteOnIdle", "EnablePartitioning", "EntityAvailabilityStatus",
        "ForwardDeadLetteredMessagesTo", "EnableExpress", "MaxMessageSizeInKilobytes",
    ]  # fmt: skip


def test_prefixes_and_names_are_where_javascript_looks_for_them(admin: AdminWorld) -> None:
    text = admin.create("Some/Queue").text
    assert '<CountDetails xmlns:d2p1="http://schemas.microsoft.com/netservices/2011/06/servicebus">' in text
    assert "<d2p1:ActiveMessageCount>0</d2p1:ActiveMessageCount>" in text
    assert "<id>https://localhost:5300/Some/Queue?api-version=2021-05</id>" in text
    assert '<title type="text">Some/Queue</title>' in text
    assert 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"' in text


def test_a_queue_that_is_not_there_is_an_empty_feed(admin: AdminWorld) -> None:
    for name in ("missing", "", "$not-a-name", "kept/$DeadLetterQueue"):
        got = admin.get(name)
        assert got.status == 200
        assert got.titles == []
        assert '<title type="text">Publicly Listed Services</title>' in got.text
        assert dict(got.reply.headers)["content-type"] == "application/atom+xml;type=feed;charset=utf-8"


def test_a_name_is_the_same_in_any_case_and_keeps_its_letters(admin: AdminWorld) -> None:
    admin.create("Orders/EU")
    assert admin.get("orders/eu").titles == []
    assert '<title type="text">Orders/EU</title>' in admin.get("orders/eu").text
    assert admin.create("ORDERS/eu").status == 409
    assert '<title type="text">Orders/EU</title>' in admin.call("GET", "/orders%2Feu").text
    assert admin.delete("oRDERS/eU").status == 200


def test_a_queue_is_made_once(admin: AdminWorld) -> None:
    admin.create("q")
    again = admin.create("q", LockDuration="PT9M")
    assert again.status == 409
    assert again.detail.startswith("SubCode=40900. Conflict.")
    assert again.root.find("Code").text == "409"  # type: ignore[union-attr]  # it is there, or the test fails


def test_an_update_changes_properties_and_when_the_queue_was_updated(admin: AdminWorld) -> None:
    admin.create("q")
    admin.world.advance(5)
    updated = admin.update("q", LockDuration="PT2M", MaxDeliveryCount="3")
    assert updated.status == 200
    got = admin.get("q")
    assert got.text == updated.text
    assert (got.value("LockDuration"), got.value("MaxDeliveryCount")) == ("PT2M", "3")
    assert got.value("CreatedAt") == "2026-01-01T00:00:00.0000000Z"
    assert got.value("UpdatedAt") == "2026-01-01T00:00:05.0000000Z"


def test_what_an_update_leaves_out_has_its_default_but_for_what_is_fixed(admin: AdminWorld) -> None:
    admin.create("q", **EVERY_PROPERTY)
    assert admin.update("q").status == 200
    got = admin.get("q")
    changed = {name for name, value in EVERY_PROPERTY.items() if got.value(name) != value}
    assert {name for name in EVERY_PROPERTY if got.value(name) != DEFAULTS[name]} == {
        "RequiresSession",
        "RequiresDuplicateDetection",
        "EnablePartitioning",
    }
    assert changed.isdisjoint({"RequiresSession", "RequiresDuplicateDetection", "EnablePartitioning"})


@pytest.mark.parametrize("name", ["RequiresSession", "RequiresDuplicateDetection", "EnablePartitioning"])
def test_what_is_fixed_cannot_be_changed(admin: AdminWorld, name: str) -> None:
    admin.create("q")
    refused = admin.update("q", **{name: "true"})
    assert refused.status == 400
    assert refused.detail.startswith(
        f"SubCode=40000. The value for the {name} property of an existing Queue cannot be changed."
    )


def test_what_is_not_there_cannot_be_changed_or_deleted(admin: AdminWorld) -> None:
    for refused in (admin.update("missing"), admin.delete("missing"), admin.delete("")):
        assert refused.status == 404
        assert refused.detail.startswith("SubCode=40400. ")


def test_a_deleted_queue_is_gone_and_can_be_made_again(admin: AdminWorld) -> None:
    admin.create("q", MaxDeliveryCount="3")
    deleted = admin.delete("q")
    assert (deleted.status, deleted.text) == (200, "")
    assert admin.get("q").titles == []
    assert admin.create("q").value("MaxDeliveryCount") == "10"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LockDuration", "PT6M", "The supplied lock time exceeds the allowed maximum of '5' minutes."),
        ("LockDuration", "PT1S", "The property value for 'LockDuration' must be between 00:00:05 and 00:05:00."),
        ("LockDuration", "", "The value '' for 'LockDuration' is not allowed: it must be an ISO 8601 duration"),
        ("LockDuration", "-PT1M", "The value '-PT1M' for 'LockDuration' is not allowed"),
        ("DefaultMessageTimeToLive", "PT0S", "must be between 00:00:01 and 10675199.02:48:05.4775807."),
        ("DuplicateDetectionHistoryTimeWindow", "P8D", "must be between 00:00:05 and 7.00:00:00."),
        ("AutoDeleteOnIdle", "PT4M59S", "must be between 00:05:00 and 10675199.02:48:05.4775807."),
        ("MaxDeliveryCount", "0", "The property value for 'MaxDeliveryCount' must be between 1 and 2000."),
        ("MaxDeliveryCount", "2001", "must be between 1 and 2000."),
        ("MaxDeliveryCount", "many", "The value 'many' for 'MaxDeliveryCount' is not allowed"),
        ("MaxDeliveryCount", "9" * 5000, "is not allowed: it must be a whole number from 1 to 2000."),
        (
            "MaxSizeInMegabytes",
            "1000",
            "The specified value 1000 is invalid. The property 'MaxSizeInMegabytes', must be one of the following",
        ),
        ("MaxMessageSizeInKilobytes", "1024", "cannot be set in a namespace of the 'Standard' tier."),
        ("MaxMessageSizeInKilobytes", "102401", "must be between 256 and 102400."),
        ("RequiresSession", "perhaps", "The value 'perhaps' for 'RequiresSession' is not allowed"),
        ("Status", "Renaming", "it must be one of Active, Disabled, SendDisabled, ReceiveDisabled."),
        ("UserMetadata", "x" * 1025, "exceeds the allowed maximum of 1024 characters."),
        ("ForwardTo", "sb://localhost/not a name", "it must be the name of another entity"),
    ],
)
def test_a_value_out_of_range_is_refused_in_azures_words(admin: AdminWorld, name: str, value: str, told: str) -> None:
    admin.create("q")
    for refused in (admin.create("other", **{name: value}), admin.update("q", **{name: value})):
        assert refused.status == 400
        assert refused.detail.startswith("SubCode=40000. ")
        assert told in refused.detail
        assert refused.detail.endswith("Timestamp:2026-01-01T00:00:00")
        assert "TrackingId:request-1_G0, SystemTracker:sbemulatorns:" in refused.detail
    assert admin.get("other").titles == []


def test_properties_that_do_not_go_together_are_refused(admin: AdminWorld) -> None:
    refused = admin.create("q", RequiresDuplicateDetection="true", EnableExpress="true")
    assert refused.status == 400
    assert "Both DelayedPersistence property and RequiresDuplicateDetection property" in refused.detail


@pytest.mark.parametrize("name", ["ForwardTo", "ForwardDeadLetteredMessagesTo"])
def test_messages_are_forwarded_only_to_what_is_there(admin: AdminWorld, name: str) -> None:
    refused = admin.create("q", **{name: "sb://localhost:5300/missing"})
    assert refused.status == 400
    assert refused.detail.startswith("SubCode=40400. The auto forwarding destination entity does not exist.")
    assert admin.create("q", **{name: "kept"}).value(name) == "sb://localhost:5300/kept"
    # Azure takes that, and lets the messages run into the limit of hops.
    assert admin.update("q", **{name: "sb://localhost:5300/Q"}).status == 200
    assert admin.update("q").value(name) is None


def test_a_premium_namespace_takes_larger_messages() -> None:
    admin = AdminWorld(seeds=(EntitySeed("seeded"),), tier="premium")
    described = admin.call("GET", "/$namespaceinfo")
    assert (described.value("MessagingSKU"), described.value("MessagingUnits")) == ("Premium", "1")
    assert admin.get("seeded").value("MaxMessageSizeInKilobytes") == "1024"
    assert admin.create("plain").value("MaxMessageSizeInKilobytes") == "1024"
    assert admin.create("large", MaxMessageSizeInKilobytes="102400").value("MaxMessageSizeInKilobytes") == "102400"
    assert admin.update("large", MaxDeliveryCount="3").value("MaxMessageSizeInKilobytes") == "102400"
    refused = admin.create("small", MaxMessageSizeInKilobytes="512")
    assert refused.status == 400
    assert "'MaxMessageSizeInKilobytes' must be between 1024 and 102400." in refused.detail


def test_a_larger_message_size_from_a_seed_stays_over_updates() -> None:
    description = EntityDescription(max_message_size_kilobytes=2048)
    admin = AdminWorld(seeds=(EntitySeed("q", description),))
    assert admin.get("q").value("MaxMessageSizeInKilobytes") == "2048"
    assert admin.update("q", MaxMessageSizeInKilobytes="2048", MaxDeliveryCount="2").status == 200
    assert admin.update("q", MaxDeliveryCount="3").value("MaxMessageSizeInKilobytes") == "2048"
    assert admin.update("q", MaxMessageSizeInKilobytes="4096").status == 400


@pytest.mark.parametrize(
    "name", ["-q", "q-", "q%20q", "%C3%BC", "q?", "$cbs", "", "x" * 261, "kept/$DeadLetterQueue", "q%23"]
)
def test_what_cannot_be_a_name_is_refused(admin: AdminWorld, name: str) -> None:
    refused = admin.call("PUT", f"/{name.replace('?', '%3F')}", entry())
    assert refused.status == 400
    assert refused.detail.startswith("SubCode=40000. ")


def test_a_path_that_is_not_utf8_is_refused(admin: AdminWorld) -> None:
    assert admin.call("GET", "/%FF").status == 400


def test_counts_size_and_times_are_true(admin: AdminWorld) -> None:
    admin.create("q")
    world = admin.world
    world.advance(10)
    queue = world.queue("q")
    queue.accessed_at = world.clock.now()
    world.send(queue, "one", "two", "three", "four")
    first, second, _ = world.lock(queue, 3)
    world.settle(queue, first, Disposition.DEAD_LETTERED)
    world.settle(queue, second, Disposition.DEFERRED)
    got = admin.get("q")
    counts = {name: got.value(name) for name in ("ActiveMessageCount", "DeadLetterMessageCount", "MessageCount")}
    assert counts == {"ActiveMessageCount": "3", "DeadLetterMessageCount": "1", "MessageCount": "4"}
    stored = world.counters(queue).bytes + world.counters(world.queue("q/$DeadLetterQueue")).bytes
    assert got.value("SizeInBytes") == str(stored)
    assert stored > 0
    assert got.value("AccessedAt") == "2026-01-01T00:00:10.0000000Z"


def test_a_store_that_fails_makes_no_queue() -> None:
    store = FailingStore(MemoryStore())
    admin = AdminWorld(store=store)
    store.failing = True
    refused = admin.create("q")
    store.failing = False
    assert refused.status == 403
    assert "no room" in refused.detail
    assert admin.get("q").titles == []
    assert admin.create("q").status == 201


def test_a_status_is_known_to_the_engine_at_once(admin: AdminWorld) -> None:
    admin.create("q")
    queue = admin.world.queue("q")
    admin.update("q", Status="ReceiveDisabled")
    assert queue.description.status is EntityStatus.RECEIVE_DISABLED
