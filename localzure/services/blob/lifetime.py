"""Tiers, expiry, immutability and legal hold on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.dates import http_date
from localzure.services.blob import replies, requests
from localzure.services.blob.engine import lifetime
from localzure.services.blob.engine.lifetime import SetExpiry, SetImmutability, SetLegalHold, SetTier
from localzure.services.blob.engine.tiers import PREMIUM_TIERS, TIERS
from localzure.services.blob.errors import BlobError
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.handling import writing
from localzure.services.storage_rest.headers import reply_headers

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.model import BlobRecord


def _required(call: Call, name: str) -> str:
    text = call.request.headers.get(name)
    if not text:
        raise BlobError("MissingRequiredHeader", HeaderName=name)
    return text


def _set_tier(call: Call) -> SetTier:
    text = _required(call, "x-ms-access-tier")
    is_premium = text.upper() in PREMIUM_TIERS
    if not is_premium and text.lower() not in TIERS:
        raise requests.bad_header("x-ms-access-tier", text)
    tier = text.upper() if is_premium else TIERS[text.lower()]
    return SetTier(requests.on_blob(call), tier, is_premium, requests.priority(call))


def _render_tier(call: Call, record: BlobRecord) -> HttpReply:
    return HttpReply(200 if record.rehydration is None else 202, reply_headers(call.request))


def _set_expiry(call: Call) -> SetExpiry:
    option = _required(call, "x-ms-expiry-option")
    command = SetExpiry(requests.on_base_blob(call))
    if option.lower() == "neverexpire":
        return command
    _required(call, "x-ms-expiry-time")
    if option.lower() == "absolute":
        command.at = requests.http_time(call, "x-ms-expiry-time")
    elif option.lower() in {"relativetonow", "relativetocreation"}:
        command.after = (requests.natural(call, "x-ms-expiry-time") or 0) * 1000
        command.is_from_creation = option.lower() == "relativetocreation"
    else:
        raise requests.bad_header("x-ms-expiry-option", option)
    return command


def _set_immutability(call: Call) -> SetImmutability:
    _required(call, "x-ms-immutability-policy-until-date")
    until = requests.http_time(call, "x-ms-immutability-policy-until-date")
    return SetImmutability(requests.on_blob(call), until, requests.immutability_mode(call))


def _delete_immutability(call: Call) -> SetImmutability:
    return SetImmutability(requests.on_blob(call), None, None)


def _render_immutability(call: Call, record: BlobRecord) -> HttpReply:
    headers = reply_headers(call.request)
    if record.immutable_until is not None:
        headers.append(("x-ms-immutability-policy-until-date", http_date(record.immutable_until)))
        headers.append(("x-ms-immutability-policy-mode", (record.immutability_mode or "Unlocked").lower()))
    return HttpReply(200, headers)


def _set_legal_hold(call: Call) -> SetLegalHold:
    _required(call, "x-ms-legal-hold")
    return SetLegalHold(requests.on_blob(call), requests.flag(call, "x-ms-legal-hold"))


def _render_legal_hold(call: Call, record: BlobRecord) -> HttpReply:
    headers = reply_headers(call.request)
    headers.append(("x-ms-legal-hold", "true" if record.legal_hold else "false"))
    return HttpReply(200, headers)


set_tier = writing(_set_tier, lifetime.set_tier, _render_tier)
set_expiry = writing(_set_expiry, lifetime.set_expiry, replies.blob_changed)
set_immutability = writing(_set_immutability, lifetime.set_immutability, _render_immutability)
delete_immutability = writing(_delete_immutability, lifetime.set_immutability, _render_immutability)
set_legal_hold = writing(_set_legal_hold, lifetime.set_legal_hold, _render_legal_hold)
