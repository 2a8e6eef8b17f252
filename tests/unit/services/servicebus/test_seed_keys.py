"""Seeds: the access keys of an entity."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from localzure.services.servicebus.model import AuthorizationRule
from localzure.services.servicebus.seed import EntitySeed, apply_seeds, parse_seed
from localzure.services.servicebus.seed_tree import SeedError
from tests.servicebus_admin_world import HOST, AdminWorld, signature


def seeds_of(rules: Any, kind: str = "queues") -> tuple[EntitySeed, ...]:
    tree = {"servicebus": {kind: {"q": {"authorization_rules": rules}}}}
    return parse_seed(msgspec.json.encode(tree).decode(), "seed.json")


def rules_of(rules: Any, kind: str = "queues") -> tuple[AuthorizationRule, ...]:
    (seed,) = seeds_of(rules, kind)
    return seed.description.authorization_rules


@pytest.mark.parametrize("kind", ["queues", "topics"])
def test_rules_have_keys_and_rights(kind: str) -> None:
    given = {
        "reader": {"key": "k1", "rights": ["listen"]},
        "w": {"Key": "k2", "SecondaryKey": "k3", "Rights": ["Send"]},
    }
    shown = [(rule.key_name, rule.primary_key, rule.secondary_key, rule.rights) for rule in rules_of(given, kind)]
    assert shown == [("reader", "k1", "k1", ("Listen",)), ("w", "k2", "k3", ("Send",))]


def test_who_may_manage_may_send_and_listen() -> None:
    (rule,) = rules_of({"owner": {"key": "k", "rights": ["Manage"]}})
    assert rule.rights == ("Listen", "Send", "Manage")


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (
            {"r": {"key": "secret-key", "rights": ["Read"]}},
            'rights[0]: "Read" is not allowed, it must be one of Listen',
        ),
        (
            {"r": {"key": "secret-key", "rights": []}},
            "rights: [] is not allowed, it must be some of Listen, Send, Manage",
        ),
        ({"r": {"key": "secret-key"}}, "'Rights' is missing"),
        ({"r": {"rights": ["Send"]}}, "'Key' is missing"),
        (
            {"r": {"key": ["secret-key"], "rights": ["Send"]}},
            'key: "***" is not allowed, it must be a text of up to 256',
        ),
        ({"r" * 257: {"key": "secret-key", "rights": ["Send"]}}, "it must be a name of up to 256 characters"),
        ({str(number): {"key": "k", "rights": ["Send"]} for number in range(13)}, "it must be up to 12 rules"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_without_the_key(rules: Any, told: str) -> None:
    with pytest.raises(SeedError) as caught:
        seeds_of(rules)
    assert "seed.json: servicebus.queues.q.authorization_rules" in str(caught.value)
    assert told in str(caught.value)
    assert "secret-key" not in str(caught.value)


def test_a_seeded_key_is_good_for_its_entity_alone() -> None:
    admin = AdminWorld("verify", seeds=(EntitySeed("other"), *seeds_of({"owner": {"key": "k", "rights": ["Manage"]}})))
    token = {"authorization": signature(f"https://{HOST}/q", "owner", "k")}
    assert admin.call("GET", "/q", headers=token).status == 200
    assert admin.call("GET", "/other", headers=token).status == 401
    own = {"authorization": signature(f"https://{HOST}/other", "owner", "k")}
    assert admin.call("GET", "/other", headers=own).status == 401


def test_a_key_without_the_right_is_refused() -> None:
    admin = AdminWorld("verify", seeds=seeds_of({"reader": {"key": "k", "rights": ["Listen"]}}))
    token = {"authorization": signature(f"https://{HOST}/q", "reader", "k")}
    assert admin.call("GET", "/q", headers=token).status == 401


def test_seeding_again_changes_what_differs() -> None:
    admin = AdminWorld(seeds=seeds_of({"r": {"key": "k1", "rights": ["Listen"]}}))

    def seed(*seeds: EntitySeed) -> tuple[AuthorizationRule, ...]:
        admin.world.advance(60)
        broker = admin.world.broker
        with admin.world.context.transactions.writer() as writer:
            apply_seeds(broker, writer, seeds)
            record = broker.entities.record(writer, "q")
        admin.world.commit()
        assert record is not None
        return record.description.authorization_rules

    (made,) = seed(*seeds_of({"r": {"key": "k1", "rights": ["Listen"]}}))
    assert made.created_at == made.modified_at
    assert seed(EntitySeed("q")) == (made,)
    (changed,) = seed(*seeds_of({"r": {"key": "k2", "rights": ["Listen"]}}))
    assert (changed.primary_key, changed.created_at) == ("k2", made.created_at)
    assert changed.modified_at > made.modified_at
