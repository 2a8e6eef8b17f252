"""Shared access signatures of Service Bus, as a client makes them.

`SharedAccessSignature sr=<uri>&sig=<signature>&se=<expiry>&skn=<key name>`, the signature being HMAC-SHA256 with the
key's characters over the encoded uri, a line feed and the expiry in Unix seconds ("Generate a shared access signature
token", Service Bus documentation).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote

KEY_NAME = "RootManageSharedAccessKey"
DEVELOPMENT_KEY = "SAS_KEY_VALUE"


def service_bus_token(uri: str, expiry: int, key: str = DEVELOPMENT_KEY) -> str:
    """Sign a token for `uri` that is good until `expiry`, in Unix seconds."""
    resource = quote(uri, safe="")
    digest = hmac.digest(key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256)
    signature = quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={KEY_NAME}"
