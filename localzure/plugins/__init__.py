"""What a plugin is written against: a service of somebody else's that runs inside LocalZure's server.

A plugin is a class derived from `LocalZureService`, named by an entry point of the group `localzure.services`
(docs/plugins.md). Everything that it needs is here; nothing else of LocalZure is promised to stay as it is.
"""

from localzure.plugins.errors import PluginError
from localzure.plugins.interface import LocalZureService, PluginContext, ServiceHealth, ServiceMetadata
from localzure.plugins.operations import Operation, PluginCall
from localzure.plugins.states import ServiceState
from localzure.services.interface import SECOND, Address, BodySink, HttpReply, HttpRequest, Instant

__all__ = [
    "SECOND",
    "Address",
    "BodySink",
    "HttpReply",
    "HttpRequest",
    "Instant",
    "LocalZureService",
    "Operation",
    "PluginCall",
    "PluginContext",
    "PluginError",
    "ServiceHealth",
    "ServiceMetadata",
    "ServiceState",
]
