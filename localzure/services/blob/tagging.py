"""The tags of blobs on the wire: get, set, and finding blobs by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob import documents, requests
from localzure.services.blob.engine import blobs, tag_conditions, tag_search
from localzure.services.blob.engine.tag_conditions import TagConditionError
from localzure.services.blob.engine.tag_search import FindBlobs
from localzure.services.blob.errors import BlobError
from localzure.services.blob.handling import writing_document, xml_reply
from localzure.services.blob.model import SetBlobTags
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.handling import reading
from localzure.services.storage_rest.headers import reply_headers

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.tag_search import FoundPage
    from localzure.services.blob.model import BlobRecord, OnBlob
    from localzure.services.storage_rest.xml_reader import Element

SEARCH_INCLUDES = frozenset({"", "none", "versions"})
"""What a search may include."""


def _set_tags(call: Call, document: Element | None) -> SetBlobTags:
    if document is None or document.name != "Tags" or [part.name for part in document.children] != ["TagSet"]:
        raise BlobError("InvalidXmlDocument")
    tags: dict[str, str] = {}
    for tag in document.children[0].children:
        parts = {part.name: part.text for part in tag.children}
        if tag.name != "Tag" or parts.keys() != {"Key", "Value"} or parts["Key"] in tags:
            raise BlobError("InvalidXmlDocument", XmlNodeName=tag.name)
        tags[parts["Key"]] = parts["Value"]
    requests.check_tags(tags)
    return SetBlobTags(_target(call), tags)


def _target(call: Call) -> OnBlob:
    target = requests.on_blob(call)
    target.conditions = requests.blob_conditions(call)
    return target


def _render_set(call: Call, _reply: None) -> HttpReply:
    return HttpReply(204, reply_headers(call.request))


def _render_tags(call: Call, record: BlobRecord) -> HttpReply:
    return xml_reply(call, documents.tags(record.tags))


def _find_blobs(call: Call) -> FindBlobs:
    where = call.query.get("where")
    if not where:
        raise BlobError("MissingRequiredQueryParameter", QueryParameterName="where")
    try:
        condition = tag_conditions.parse(where, is_search=True)
    except TagConditionError as error:
        raise requests.bad_parameter("where", where, str(error)) from error
    words = requests.includes(call, SEARCH_INCLUDES)
    return FindBlobs(
        call.address.account,
        call.container or None,
        condition,
        requests.marker(call),
        requests.page_size(call),
        with_versions="versions" in words,
    )


def _render_found(call: Call, page: FoundPage) -> HttpReply:
    names = _find_blobs(call).condition.names()
    return xml_reply(call, documents.found_blobs(call, page, names))


get_tags = reading(_target, blobs.get_tags, _render_tags)
set_tags = writing_document(_set_tags, blobs.set_tags, _render_set)
find_blobs = reading(_find_blobs, tag_search.find, _render_found)
