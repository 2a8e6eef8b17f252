"""Topics, subscriptions and rules over the administration API."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from tests.servicebus_admin_world import AdminWorld, Answer
from tests.servicebus_world import bodies


@pytest.fixture
def admin() -> AdminWorld:
    """A namespace with a topic and a subscription."""
    made = AdminWorld()
    assert made.create("Orders/eu", kind="Topic").status == 201
    assert made.create("Orders/eu/Subscriptions/All", kind="Subscription").status == 201
    return made


def make_rule(admin: AdminWorld, name: str, inside: str, path: str = "orders/eu/subscriptions/all") -> Answer:
    return admin.create(f"{path}/rules/{name}", inside, "Rule", Name=name)


CORRELATION = (
    '<Filter i:type="CorrelationFilter"><Label>red</Label><Properties><KeyValueOfstringanyType><Key>size</Key>'
    '<Value xmlns:d6p1="http://www.w3.org/2001/XMLSchema" i:type="d6p1:int">3</Value></KeyValueOfstringanyType>'
    "</Properties></Filter>"
)


def test_a_topic_has_the_properties_that_it_was_given(admin: AdminWorld) -> None:
    made = admin.create(
        "full",
        kind="Topic",
        DefaultMessageTimeToLive="PT11M",
        MaxSizeInMegabytes="3072",
        RequiresDuplicateDetection="true",
        DuplicateDetectionHistoryTimeWindow="PT12M",
        EnableBatchedOperations="false",
        FilteringMessagesBeforePublishing="true",
        Status="SendDisabled",
        UserMetadata="note",
        SupportOrdering="false",
        AutoDeleteOnIdle="PT10M",
        EnablePartitioning="true",
    )
    assert made.status == 201
    got = admin.get("FULL")
    assert got.text.count("<TopicDescription") == 1
    expected = {
        "DefaultMessageTimeToLive": "PT11M",
        "MaxSizeInMegabytes": "3072",
        "RequiresDuplicateDetection": "true",
        "DuplicateDetectionHistoryTimeWindow": "PT12M",
        "EnableBatchedOperations": "false",
        "FilteringMessagesBeforePublishing": "true",
        "Status": "SendDisabled",
        "UserMetadata": "note",
        "SupportOrdering": "false",
        "AutoDeleteOnIdle": "PT10M",
        "EnablePartitioning": "true",
        "SizeInBytes": "0",
        "SubscriptionCount": "0",
    }
    assert {name: got.value(name) for name in expected} == expected


def test_names_are_shown_as_clients_take_them(admin: AdminWorld) -> None:
    got = admin.get("orders/EU/subscriptions/ALL")
    assert "<id>https://localhost:5300/Orders/eu/Subscriptions/All?api-version=2021-05</id>" in got.text
    assert '<title type="text">All</title>' in got.text
    rule = admin.get("orders/eu/subscriptions/all/rules/$default")
    assert "<id>https://localhost:5300/Orders/eu/Subscriptions/All/Rules/$Default?api-version=2021-05</id>" in rule.text
    assert '<title type="text">$Default</title>' in rule.text


def test_topics_and_queues_share_their_names(admin: AdminWorld) -> None:
    assert admin.create("orders/EU").status == 409
    assert admin.create("KEPT", kind="Topic").status == 409
    assert admin.update("orders/eu").status == 400
    assert admin.update("orders/eu/subscriptions/all", kind="Topic").status == 400
    assert admin.create("x", kind="Subscription").status == 400
    assert admin.create("orders/eu/subscriptions/x", kind="Topic").status == 400


def test_lists_have_each_its_own_kind(admin: AdminWorld) -> None:
    admin.create("orders/eu/subscriptions/zero", kind="Subscription")
    assert admin.get("$Resources/queues").titles == ["kept"]
    assert admin.get("$Resources/topics").titles == ["Orders/eu"]
    assert admin.get("ORDERS/eu/Subscriptions").titles == ["All", "zero"]
    assert admin.get("Orders/eu").value("SubscriptionCount") == "2"
    paged = admin.call("GET", "/orders/eu/subscriptions?$skip=0&$top=1")
    assert paged.titles == ["All"]
    (_, next_url) = paged.links[1]
    assert next_url.endswith("/Orders/eu/Subscriptions?$skip=1&$top=1")
    assert admin.get("kept/subscriptions").status == 404
    assert admin.get("nothing/subscriptions").status == 404
    assert admin.get("orders/eu/subscriptions/none/rules").status == 404


def test_what_is_missing_is_not_found(admin: AdminWorld) -> None:
    for path in ("orders/eu/subscriptions/no", "no/subscriptions/no", "orders/eu/subscriptions/all/rules/no"):
        assert admin.get(path).status == 404
        assert admin.delete(path).status == 404
    assert admin.update("orders/eu/subscriptions/no", kind="Subscription").status == 404
    assert admin.create("no/subscriptions/no", kind="Subscription").status == 404
    assert make_rule(admin, "r", "", "orders/eu/subscriptions/no").status == 404
    changed = admin.update("orders/eu/subscriptions/all/rules/no", "", "Rule")
    assert changed.status == 404


@pytest.mark.parametrize("name", ["a" * 51, ".a", "a b"])
def test_subscriptions_have_short_and_plain_names(admin: AdminWorld, name: str) -> None:
    assert admin.create(f"orders/eu/subscriptions/{name.replace(' ', '%20')}", kind="Subscription").status == 400


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"LockDuration": "PT6M"}, "The supplied lock time exceeds the allowed maximum of '5' minutes."),
        ({"MaxDeliveryCount": "0"}, "The property value for 'MaxDeliveryCount' must be between 1 and 2000."),
        ({"ForwardTo": "nowhere"}, "The auto forwarding destination entity does not exist."),
        ({"ForwardTo": "Orders/eu/Subscriptions/All"}, "The auto forwarding destination entity does not exist."),
    ],
)
def test_wrong_properties_are_refused(admin: AdminWorld, properties: dict[str, str], told: str) -> None:
    refused = admin.create("orders/eu/subscriptions/s", kind="Subscription", **properties)
    assert refused.status == 400
    assert told in refused.detail
    assert admin.get("orders/eu/subscriptions/s").status == 404


def test_properties_change_and_fixed_ones_do_not(admin: AdminWorld) -> None:
    assert admin.update("orders/eu/subscriptions/all", kind="Subscription", MaxDeliveryCount="3").status == 200
    assert admin.get("orders/eu/subscriptions/all").value("MaxDeliveryCount") == "3"
    refused = admin.update("orders/eu/subscriptions/all", kind="Subscription", RequiresSession="true")
    assert "The value for the RequiresSession property of an existing Subscription cannot be changed" in refused.detail
    refused = admin.update("orders/eu", kind="Topic", RequiresDuplicateDetection="true")
    assert "RequiresDuplicateDetection property of an existing Topic cannot" in refused.detail
    assert admin.update("orders/eu", kind="Topic", Status="Disabled").status == 200


def test_a_subscription_comes_with_a_rule_for_everything_or_with_the_one_that_is_given(admin: AdminWorld) -> None:
    assert admin.get("orders/eu/subscriptions/all/rules").titles == ["$Default"]
    default = admin.get("orders/eu/subscriptions/all/rules/$Default").text
    assert '<Filter i:type="TrueFilter"><SqlExpression>1=1</SqlExpression>' in default
    assert '<Action i:type="EmptyRuleAction"/>' in default
    given = f"<DefaultRuleDescription>{CORRELATION}<Name>Mine</Name></DefaultRuleDescription>"
    made = admin.create("orders/eu/subscriptions/some", given, "Subscription")
    assert made.status == 201
    assert "DefaultRuleDescription" not in made.text
    assert admin.get("orders/eu/subscriptions/some/rules").titles == ["Mine"]


def test_rules_are_made_changed_and_deleted(admin: AdminWorld) -> None:
    path = "orders/eu/subscriptions/all/rules/Red"
    made = make_rule(admin, "Red", CORRELATION)
    assert made.status == 201
    assert 'i:type="CorrelationFilter"><Label>red</Label>' in made.text
    assert 'i:type="d6p1:int">3</Value>' in made.text
    assert make_rule(admin, "RED", CORRELATION).status == 409
    assert admin.get("orders/eu/subscriptions/all/rules").titles == ["$Default", "Red"]
    created = made.value("CreatedAt")
    admin.world.clock.advance(10)
    changed = admin.update(path, '<Filter i:type="FalseFilter"/>', "Rule")
    assert changed.status == 200
    assert changed.value("CreatedAt") == created
    assert '<Filter i:type="FalseFilter"><SqlExpression>1=0</SqlExpression>' in admin.get(path).text
    assert admin.delete(path).status == 200
    assert admin.get("orders/eu/subscriptions/all/rules").titles == ["$Default"]


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ('<Filter i:type="OddFilter"/>', "A filter of the type 'OddFilter' is not known."),
        ('<Action i:type="OddAction"/>', "An action of the type 'OddAction' is not known."),
        ('<Filter i:type="CorrelationFilter"/>', "At least one property must be set in the CorrelationFilter."),
        (CORRELATION.replace(">3<", ">4294967296<"), "'4294967296' is no int."),
        (CORRELATION.replace("d6p1:int", "d6p1:date"), "A value of the type 'date' cannot be used"),
        (CORRELATION.replace("Key>", "Kee>"), "A list of keys and values is expected"),
    ],
)
def test_rules_that_cannot_be_are_refused(admin: AdminWorld, inside: str, told: str) -> None:
    refused = make_rule(admin, "r", inside)
    assert refused.status == 400
    assert told in refused.detail
    given = f"<DefaultRuleDescription>{inside}</DefaultRuleDescription>"
    assert admin.create("orders/eu/subscriptions/some", given, "Subscription").status == 400
    assert admin.get("orders/eu/subscriptions").titles == ["All"]


@pytest.mark.parametrize("name", ["a" * 51, "a@b", "a%23b"])
def test_rules_have_short_names(admin: AdminWorld, name: str) -> None:
    assert make_rule(admin, name, "").status == 400


def test_values_keep_their_types(admin: AdminWorld) -> None:
    schema = 'xmlns:d6p1="http://www.w3.org/2001/XMLSchema"'
    values = [
        ("boolean", "true"),
        ("double", "0.5"),
        ("int", "-3"),
        ("long", "3"),
        ("string", " a<b "),
        ("dateTime", "2020-07-05T11:12:13"),
        ("dateTime", "2020-07-05T11:12:13.250Z"),
        ("duration", "P1DT2H3M"),
        ("duration", "-PT1S"),
    ]
    pairs = "".join(
        f'<KeyValueOfstringanyType><Key>k{number}</Key><Value {schema} i:type="d6p1:{kind}">{escape(text)}</Value>'
        "</KeyValueOfstringanyType>"
        for number, (kind, text) in enumerate(values)
    )
    inside = f'<Filter i:type="CorrelationFilter"><Properties>{pairs}</Properties></Filter>'
    assert make_rule(admin, "typed", inside).status == 201
    assert f"<Properties>{pairs}</Properties>" in admin.get("orders/eu/subscriptions/all/rules/typed").text


def test_rules_choose_as_soon_as_they_are_there(admin: AdminWorld) -> None:
    world = admin.world
    topic, subscription = world.queue("orders/eu"), world.queue("orders/eu/subscriptions/all")
    world.send(topic, "one")
    admin.delete("orders/eu/subscriptions/all/rules/$default")
    world.send(topic, "nobody's")
    make_rule(admin, "red", CORRELATION)
    world.send(topic, "two", subject="red", application_properties={"size": 3})
    admin.update("orders/eu/subscriptions/all/rules/red", '<Filter i:type="FalseFilter"/>', "Rule")
    world.send(topic, "three", subject="red", application_properties={"size": 3})
    assert bodies(world.lock(subscription, 10)) == ["one", "two"]


def test_counts_and_sizes_are_true(admin: AdminWorld) -> None:
    world = admin.world
    admin.create("orders/eu/subscriptions/other", kind="Subscription")
    topic, subscription = world.queue("orders/eu"), world.queue("orders/eu/subscriptions/all")
    world.send(topic, "a", "b", "c" * 1000)
    world.take(subscription)
    got = admin.get("orders/eu/subscriptions/all")
    assert [got.value(name) for name in ("ActiveMessageCount", "MessageCount", "SizeInBytes")] == ["2", "2", None]
    described = admin.get("orders/eu")
    assert described.value("ActiveMessageCount") == "0"
    assert int(described.value("SizeInBytes") or 0) == world.counters(topic).bytes > 1000


def test_subscriptions_and_rules_are_counted(admin: AdminWorld) -> None:
    names = ("SubscriptionCount", "SqlFilterCount", "CorrelationFilterCount")

    def counts() -> list[str | None]:
        got = admin.get("orders/eu")
        return [got.value(name) for name in names]

    assert counts() == ["1", "1", "0"]
    make_rule(admin, "red", CORRELATION)
    make_rule(admin, "red", CORRELATION)
    admin.create("orders/eu/subscriptions/other", kind="Subscription")
    assert counts() == ["2", "2", "1"]
    admin.update("orders/eu/subscriptions/all/rules/red", '<Filter i:type="FalseFilter"/>', "Rule")
    admin.delete("orders/eu/subscriptions/other/rules/$Default")
    assert counts() == ["2", "2", "0"]
    admin.delete("orders/eu/subscriptions/all")
    assert counts() == ["1", "0", "0"]


def test_deleting_a_topic_deletes_what_it_has(admin: AdminWorld) -> None:
    admin.world.send(admin.world.queue("orders/eu"), "gone")
    assert admin.delete("orders/eu").status == 200
    assert admin.get("orders/eu/subscriptions/all").titles == []
    assert admin.create("orders/eu", kind="Topic").status == 201
    assert admin.get("orders/eu/subscriptions").titles == []
    assert admin.create("orders/eu/subscriptions/all", kind="Subscription").status == 201
    assert admin.get("orders/eu/subscriptions/all").value("ActiveMessageCount") == "0"


def test_subscriptions_and_rules_survive_a_restart(admin: AdminWorld) -> None:
    make_rule(admin, "red", CORRELATION)
    restarted = admin.world.restart()
    topic, subscription = restarted.queue("orders/eu"), restarted.queue("orders/eu/subscriptions/all")
    restarted.send(topic, "still")
    assert bodies(restarted.lock(subscription)) == ["still"]
