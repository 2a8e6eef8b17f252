"""A Service Bus namespace that is administered without a server: requests in, replies out."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from localzure.config.settings import AuthLevel
from localzure.gateway.address import resolve
from localzure.services.interface import HttpReply, HttpRequest, ServiceError
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.seed import EntitySeed
from localzure.services.servicebus.service import ServiceBusService
from localzure.services.servicebus.settings import TIERS, ServiceBusSettings
from localzure_storage.store import StorageError, Store
from tests.servicebus_world import World

HOST = "localhost:5300"
KEPT = EntitySeed("kept")
"""A queue that is there from the start: without a seed there would be the sample queue."""


@dataclass
class Answer:
    """A reply, taken apart."""

    reply: HttpReply

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def text(self) -> str:
        assert isinstance(self.reply.body, bytes)
        return self.reply.body.decode()

    @property
    def root(self) -> ET.Element:
        return ET.fromstring(self.text)

    @property
    def detail(self) -> str:
        """The text of an error."""
        found = self.root.find("Detail")
        assert found is not None
        assert found.text
        return found.text

    def value(self, name: str) -> str | None:
        """The text of an element of the description, or of its counts; None where it is missing."""
        for namespace in (atom.DESCRIPTIONS, atom.COUNTS):
            found = self.root.find(f".//{{{namespace}}}{name}")
            if found is not None:
                return found.text or ""
        return None

    @property
    def titles(self) -> list[str]:
        """The names of the entities in a feed."""
        path = f"{{{atom.ATOM}}}entry/{{{atom.ATOM}}}title"
        return [found.text or "" for found in self.root.findall(path)]

    @property
    def links(self) -> list[tuple[str, str]]:
        """Relation and address of each link of a feed."""
        found = self.root.findall(f"{{{atom.ATOM}}}link")
        return [(link.attrib["rel"], link.attrib["href"]) for link in found]


class AdminWorld:
    """One namespace, and a client of its administration API."""

    def __init__(
        self,
        level: AuthLevel = "off",
        store: Store | None = None,
        seeds: Sequence[EntitySeed] = (KEPT,),
        tier: str = "standard",
    ) -> None:
        self.world = World(store)
        self.service = ServiceBusService(self.world.context, ServiceBusSettings(auth=level, tier=TIERS[tier]))
        self.world.broker, self.world.dispatch = self.service._broker, self.service._dispatch
        self.service.start(seeds)
        self.world.commit()

    def call(
        self,
        method: str,
        path: str,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        host: str = HOST,
        listener: str | None = "servicebus",
    ) -> Answer:
        """Send a request and take the reply that leaves after the commit."""
        raw_path, _, query = path.partition("?")
        request = HttpRequest(
            method, raw_path, query, {"host": host, **(headers or {})}, "https", host, "127.0.0.1", "request-1"
        )
        service, address = resolve(listener, request)
        assert service == "servicebus"
        replies: list[HttpReply] = []
        try:
            sink = self.service.admin.accept(request, address)
            sink.write(body.encode() if isinstance(body, str) else body)
            reply = sink.finish()
        except (ServiceError, StorageError) as error:
            reply = self.service.admin.refuse(request, error)

        def failed(error: StorageError) -> None:
            replies.append(self.service.admin.refuse(request, error))

        self.world.transactions.after_commit(lambda: replies.append(reply), failed)
        self.world.commit()
        (got,) = replies
        return Answer(got)

    def get(self, name: str) -> Answer:
        return self.call("GET", f"/{name}?enrich=false&api-version=2021-05")

    def create(self, name: str, inside: str = "", kind: str = "Queue", **properties: Any) -> Answer:
        return self.call("PUT", f"/{name}?api-version=2021-05", entry(inside, kind, **properties))

    def update(self, name: str, inside: str = "", kind: str = "Queue", **properties: Any) -> Answer:
        return self.call("PUT", f"/{name}?api-version=2021-05", entry(inside, kind, **properties), {"if-match": "*"})

    def delete(self, name: str) -> Answer:
        return self.call("DELETE", f"/{name}?api-version=2021-05")


def entry(inside: str = "", kind: str = "Queue", **properties: Any) -> str:
    """An entry that describes an entity or a rule, as .NET writes it; `inside` is put in as it is."""
    elements = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in properties.items())
    return (
        f'<entry xmlns="{atom.ATOM}"><content type="application/xml">'
        f'<{kind}Description xmlns="{atom.DESCRIPTIONS}" xmlns:i="{atom.INSTANCE}">{elements}{inside}'
        f"</{kind}Description></content></entry>"
    )


def signature(resource: str, key_name: str = "RootManageSharedAccessKey", key: str = "SAS_KEY_VALUE") -> str:
    """A shared access signature that is good for long."""
    encoded, expiry = quote(resource, safe=""), "4000000000"
    digest = hmac.digest(key.encode(), f"{encoded}\n{expiry}".encode(), "sha256")
    signed = quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={encoded}&sig={signed}&se={expiry}&skn={key_name}"
