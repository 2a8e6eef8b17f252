"""Authorization rules of an entity in a seed file: shared access keys that are good for it alone.

    authorization_rules:
      reader: {key: …, rights: [Listen]}
      owner: {key: …, secondary_key: …, rights: [Manage]}

Who may manage may send and listen. Both keys are the same where one is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.access import KEY_CHARACTERS_MAX, RIGHTS, RULES_MAX
from localzure.services.servicebus.model import AuthorizationRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.servicebus.seed_tree import Place

MEMBER = "AuthorizationRules"
"""What they stand under, beside an entity's properties."""


def seeded_rules(properties: Place) -> tuple[AuthorizationRule, ...]:
    """Read the rules beside the properties of an entity. They have no times yet. Raises SeedError."""
    given = list(properties.members_of(MEMBER))
    if len(given) > RULES_MAX:
        raise properties.required(MEMBER).wrong(f"up to {RULES_MAX} rules")
    return tuple(_rule(name, place) for name, place in given)


def dated(
    rules: Iterable[AuthorizationRule], current: Iterable[AuthorizationRule], now: int
) -> tuple[AuthorizationRule, ...]:
    """Rules of a seed as an entity that has the `current` ones keeps them: those that stay have their times."""
    known = {rule.key_name: rule for rule in current}
    return tuple(_dated(rule, known.get(rule.key_name), now) for rule in rules) or tuple(known.values())


def _dated(rule: AuthorizationRule, known: AuthorizationRule | None, now: int) -> AuthorizationRule:
    if known is None:
        return msgspec.structs.replace(rule, created_at=now, modified_at=now)
    same = msgspec.structs.replace(rule, created_at=known.created_at, modified_at=known.modified_at)
    return same if same == known else msgspec.structs.replace(same, modified_at=now)


def _rule(name: str, place: Place) -> AuthorizationRule:
    if not 0 < len(name) <= KEY_CHARACTERS_MAX:
        raise place.named(name).wrong(f"a name of up to {KEY_CHARACTERS_MAX} characters")
    place.expect({"Key", "SecondaryKey", "Rights"})
    key = _key(place.required("Key"))
    second = place.member("SecondaryKey")
    rights = _rights(place.required("Rights"))
    return AuthorizationRule(
        key_name=name,
        primary_key=key,
        secondary_key=key if second is None else _key(second),
        rights=rights,
        created_at=0,
        modified_at=0,
    )


def _key(place: Place) -> str:
    if not isinstance(place.value, str) or not 0 < len(place.value) <= KEY_CHARACTERS_MAX:
        # The value is a secret, which no text may hold.
        raise place.hidden().wrong(f"a text of up to {KEY_CHARACTERS_MAX} characters")
    return place.value


def _rights(place: Place) -> tuple[str, ...]:
    found = set()
    for right in place.elements():
        name = str(right.value).capitalize()
        if name not in RIGHTS:
            raise right.wrong(f"one of {', '.join(RIGHTS)}")
        found.add(name)
    if not found:
        raise place.wrong(f"some of {', '.join(RIGHTS)}")
    return tuple(RIGHTS) if "Manage" in found else tuple(name for name in RIGHTS if name in found)
