"""Get User Delegation Key: derived from the account's key, so nothing is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.errors import BlobError
from localzure.services.blob.handling import xml_reply
from localzure.services.storage_rest.sinks import Collecting
from localzure.services.storage_rest.user_delegation import answer_key_info
from localzure.services.storage_rest.xml_reader import XmlError, parse_document

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.interface import BodySink, HttpReply

DOCUMENT_BYTES_MAX = 16 * 1024
"""Longest request: it holds two times and a tenant."""


def get_user_delegation_key(call: Call) -> BodySink:
    """Get User Delegation Key."""

    def finish(body: bytes) -> HttpReply:
        try:
            document = parse_document(body)
        except XmlError as error:
            raise BlobError("InvalidXmlDocument", Reason=str(error)) from error
        parts = call.parts
        key = answer_key_info(document, call.request, call.principal, parts.accounts, "b", parts.clock.wall())
        return xml_reply(call, key)

    return Collecting(call.request, DOCUMENT_BYTES_MAX, finish)
