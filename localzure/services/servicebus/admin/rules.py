"""Authorization rules of an entity: shared access keys that are good for it alone."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.access import KEY_CHARACTERS_MAX, RIGHTS, RULES_MAX, AccessKey, rights_called
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.errors import bad_request
from localzure.services.servicebus.model import AuthorizationRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.admin.atom import Element

_KEY_BYTES = 32


def read_rules(
    rules: Element, current: Iterable[AuthorizationRule], now: int, entropy: Entropy
) -> tuple[AuthorizationRule, ...]:
    """Read the rules of a description. Keys that are not given are made. Raises AdminError."""
    known = {rule.key_name: rule for rule in current}
    found: dict[str, AuthorizationRule] = {}
    for rule in rules.children:
        if rule.name == "AuthorizationRule":
            made = _read_rule(rule, known, now, entropy)
            if made.key_name in found:
                raise bad_request(f"The authorization rule '{made.key_name}' is given twice.")
            found[made.key_name] = made
    if len(found) > RULES_MAX:
        raise bad_request(f"An entity has up to {RULES_MAX} authorization rules.")
    return tuple(found.values())


def write_rules(rules: Iterable[AuthorizationRule]) -> str:
    """Write the rules of a description."""
    text = "".join(_write_rule(rule) for rule in rules)
    return f"<AuthorizationRules>{text}</AuthorizationRules>" if text else "<AuthorizationRules/>"


def access_keys(rules: Iterable[AuthorizationRule]) -> Iterator[AccessKey]:
    """The keys of rules, as tokens are checked with them."""
    for rule in rules:
        rights = rights_called(rule.rights)
        for key in (rule.primary_key, rule.secondary_key):
            yield AccessKey(rule.key_name, key, rights)


def _read_rule(rule: Element, known: dict[str, AuthorizationRule], now: int, entropy: Entropy) -> AuthorizationRule:
    name = _text(rule, "KeyName")
    if not name:
        raise bad_request("An authorization rule has a KeyName.")
    given = rule.child("Rights")
    rights = tuple(dict.fromkeys(right.text.strip() for right in given.children)) if given is not None else ()
    for right in rights:
        if right not in RIGHTS:
            raise bad_request(f"The right '{right:.100}' is not one of {', '.join(RIGHTS)}.")
    if "Manage" in rights and len(rights) < len(RIGHTS):
        raise bad_request("Manage permission should also include Send and Listen.")
    old = known.get(name)
    made = AuthorizationRule(
        key_name=name,
        primary_key=_text(rule, "PrimaryKey") or (old.primary_key if old else _new_key(entropy)),
        secondary_key=_text(rule, "SecondaryKey") or (old.secondary_key if old else _new_key(entropy)),
        rights=rights,
        created_at=old.created_at if old else now,
        modified_at=old.modified_at if old else now,
    )
    return made if old is None or made == old else msgspec.structs.replace(made, modified_at=now)


def _text(rule: Element, name: str) -> str:
    child = rule.child(name)
    text = "" if child is None or child.is_nil else child.text.strip()
    if len(text) > KEY_CHARACTERS_MAX:
        raise bad_request(f"The {name} of an authorization rule has up to {KEY_CHARACTERS_MAX} characters.")
    return text


def _new_key(entropy: Entropy) -> str:
    return base64.b64encode(entropy.bytes(_KEY_BYTES)).decode()


def _write_rule(rule: AuthorizationRule) -> str:
    rights = "".join(atom.element("AccessRights", right) for right in rule.rights)
    return (
        '<AuthorizationRule i:type="SharedAccessAuthorizationRule"><ClaimType>SharedAccessKey</ClaimType>'
        f"<ClaimValue>None</ClaimValue><Rights>{rights}</Rights>"
        f"<CreatedTime>{atom.instant(rule.created_at)}</CreatedTime>"
        f"<ModifiedTime>{atom.instant(rule.modified_at)}</ModifiedTime>"
        + atom.element("KeyName", rule.key_name)
        + atom.element("PrimaryKey", rule.primary_key)
        + atom.element("SecondaryKey", rule.secondary_key)
        + "</AuthorizationRule>"
    )
