"""h2 as it is used here: what it is told to allow, and which of its own judgements are left to us.

h2 ends the whole connection for much that RFC 9113 calls an error of one stream: a malformed header list, or one
stream too many. Its checks of header lists are off (see `heads`), and it believes that any number of streams may be
open, while clients are told `STREAMS_MAX`.
"""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

from localzure_protocols.http1 import HEAD_BYTES_MAX
from localzure_protocols.sniff import HTTP2_PREFACE

STREAMS_MAX = 128
"""Exchanges that may be open at a time; more are refused, which clients take as `try again`."""

CONNECTION_WINDOW_BYTES = 1024 * 1024
"""Bytes of request bodies that a client may have under way in all."""

STREAM_WINDOW_BYTES = 256 * 1024
"""Bytes of one request's body that a client may have under way."""

HEAD_BYTES_HARD_MAX = 2 * HEAD_BYTES_MAX
"""Header lists up to here are read, to be answered with 431; larger ones end the connection (CVE-2016-6581)."""

_WINDOW_BYTES = 65_535
"""The connection's window at first (RFC 9113, section 6.9.2)."""


def _settings(streams_max: int) -> Settings:
    return Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: streams_max,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_BYTES_MAX,
        },
    )


# What clients are told, and what h2 is. Never changed, so all connections share them, which saves each 5 KB.
_TOLD = _settings(STREAMS_MAX)
_BELIEVED = _settings(2**31 - 1)


class Engine(H2Connection):
    """h2 keeps how each closed stream ended; this many are enough to answer stragglers rightly."""

    MAX_CLOSED_STREAMS = 256


def start_engine(upgrade_settings: bytes | None = None) -> Engine:
    """An engine that has said hello, and expects frames: the client's preface is `frames`' to check.

    `upgrade_settings` are those of a client that comes from HTTP/1.1: stream 1 is its request, which is complete.
    Raises h2.exceptions.ProtocolError where they are not allowed.
    """
    engine = Engine(
        H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    engine.decoder.max_header_list_size = HEAD_BYTES_HARD_MAX
    engine.local_settings = _TOLD
    if upgrade_settings is None:
        engine.initiate_connection()
    else:
        engine.initiate_upgrade_connection(upgrade_settings)
    engine.local_settings = _BELIEVED
    engine.increment_flow_control_window(CONNECTION_WINDOW_BYTES - _WINDOW_BYTES)
    engine.receive_data(HTTP2_PREFACE)
    return engine
