"""No key, signature or token is in the log, however much is logged, and whatever became of the request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

from azure.storage.blob import BlobServiceClient, generate_blob_sas

from localzure.config.settings import DEVELOPMENT_ACCOUNT
from localzure.testing import LocalZure

KEY = DEVELOPMENT_ACCOUNT.keys[0]
TRUSTED = "a secret that tests sign tokens with"
CLIENT_SECRET = "the-secret-of-a-client-5d1c"
WINDOW = 12
"""No stretch of a secret this long may be in the log."""


def status(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urlopen(Request(url, headers=headers or {}, data=body)) as reply:
            return reply.status, reply.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def spoiled(signature: str) -> str:
    """A signature with one changed character."""
    return ("B" if signature[0] == "A" else "A") + signature[1:]


def shared_keys(azure: LocalZure) -> list[str]:
    """Requests with a good and a bad Shared Key; returns the signatures."""
    date = formatdate(usegmt=True)
    path = "/devstoreaccount1/box"
    text = f"GET\n\n\n{date}\n/devstoreaccount1{path}?comp=list"
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
    signatures = [signature, spoiled(signature)]
    expected = [200, 403]
    for one, code in zip(signatures, expected, strict=True):
        headers = {"date": date, "authorization": f"SharedKeyLite devstoreaccount1:{one}"}
        url = azure.endpoints["blob"].rstrip("/")
        assert status(f"{url}{path}?restype=container&comp=list", headers)[0] == code
    return signatures


def shared_access_signatures(azure: LocalZure) -> list[str]:
    soon = datetime.now(UTC) + timedelta(hours=1)
    token = generate_blob_sas("devstoreaccount1", "box", "blob", account_key=KEY, permission="r", expiry=soon)
    sent = token.partition("sig=")[2].partition("&")[0]
    signature = unquote(sent)
    bad = token.replace(sent, quote(spoiled(signature), safe=""))
    url = f"{azure.endpoints['blob'].rstrip('/')}/devstoreaccount1/box/blob"
    assert [status(f"{url}?{one}")[0] for one in (token, bad)] == [200, 403]
    assert status(f"{url}?{token}&comp=nonsense")[0] in {400, 403, 501}
    return [signature, spoiled(signature)]


def tokens(azure: LocalZure) -> list[str]:
    gateway = azure.endpoints["gateway"].rstrip("/")
    form = f"grant_type=client_credentials&client_id=me&client_secret={CLIENT_SECRET}&scope=https://storage.azure.com/.default"
    code, body = status(f"{gateway}/common/oauth2/v2.0/token", body=form.encode())
    assert code == 200
    token = json.loads(body)["access_token"]
    assert status(f"{gateway}/common/oauth2/v2.0/token", body=form.replace("5d1c", "5d1d").encode())[0] == 401
    head, payload, signature = token.split(".")
    bad = f"{head}.{payload}.{spoiled(signature)}"
    url = f"{azure.endpoints['blob'].rstrip('/')}/devstoreaccount1/box/blob"
    given = [status(url, {"authorization": f"Bearer {one}", "x-ms-version": "2026-10-06"})[0] for one in (token, bad)]
    assert given == [200, 401]
    return [signature, spoiled(signature)]


def service_bus(azure: LocalZure) -> list[str]:
    resource, expiry = quote("http://localhost/line", safe="").lower(), int(datetime.now(UTC).timestamp()) + 600
    made = hmac.digest(b"SAS_KEY_VALUE", f"{resource}\n{expiry}".encode(), hashlib.sha256)
    signature = base64.b64encode(made).decode()
    url = f"{azure.endpoints['servicebus'].rstrip('/')}/line?api-version=2021-05"
    for one, code in ((signature, {200, 404}), (spoiled(signature), {401})):
        token = (
            f"SharedAccessSignature sr={resource}&sig={quote(one, safe='')}&se={expiry}&skn=RootManageSharedAccessKey"
        )
        assert status(url, {"authorization": token})[0] in code
    return [signature, spoiled(signature)]


def test_no_secret_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = {
        "log": {"level": "debug", "file": str(log), "format": "json"},
        "entra": {"trusted_secrets": [TRUSTED], "secrets": {"me": CLIENT_SECRET}},
    }
    with LocalZure(config=config) as azure:
        with BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as client:
            client.create_container("box").upload_blob("blob", b"content")
        secrets = [KEY, TRUSTED, CLIENT_SECRET]
        secrets += shared_keys(azure) + shared_access_signatures(azure) + tokens(azure) + service_bus(azure)
    written = log.read_text(encoding="utf-8")
    assert "localzure" in written
    for secret in secrets:
        parts = [secret[start : start + WINDOW] for start in range(len(secret) - WINDOW + 1)]
        assert not [part for part in parts if part in written or quote(part, safe="") in written]
