"""What a program must find around it to reach LocalZure as if it were Azure: proxy, trust, identity."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.client import OwnApiClient

NOT_PROXIED = "localhost,127.0.0.1,::1"

SITECUSTOMIZE = '''"""Python runs this at its start: what trusts certifi alone trusts the local authority too."""
import importlib.machinery, importlib.util, sys
try:
    import certifi
    certifi.where = lambda: {bundle!r}
    certifi.contents = lambda: open({bundle!r}, encoding="ascii").read()
except ImportError:
    pass
# What this file stands in front of runs as well.
for _folder in sys.path:
    if _folder != {here!r}:
        _spec = importlib.machinery.PathFinder.find_spec("sitecustomize", [_folder])
        if _spec and _spec.loader:
            _spec.loader.exec_module(importlib.util.module_from_spec(_spec))
            break
'''
"""azure-servicebus for Python, among others, reads no variable that names what to trust over WebSocket."""

CREDENTIALS = {
    "AZURE_TENANT_ID": "00000000-0000-0000-0000-000000000000",
    "AZURE_CLIENT_ID": "00000000-0000-0000-0000-000000000001",
    "AZURE_CLIENT_SECRET": "localzure",
}
"""What `EnvironmentCredential` reads: every tenant and client exists, with any secret."""


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """The local authority in the forms in which programs read it."""

    pem: Path
    """Its certificate alone, for who adds it to what it trusts already (Node.js)."""
    bundle: Path
    """Its certificate behind those that this machine trusts, for who trusts one file and no other."""
    truststore: Path
    """A trust store of Java."""
    python: Path
    """A folder for PYTHONPATH, for libraries of Python that trust `certifi` and nothing else."""


def write_trust(client: OwnApiClient, folder: Path) -> TrustFiles:
    """Write what has to be trusted into `folder`. Raises ClientError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    files = TrustFiles(folder / "ca.pem", folder / "bundle.pem", folder / "ca.p12", folder / "python")
    files.python.mkdir(exist_ok=True)
    (files.python / "sitecustomize.py").write_text(
        SITECUSTOMIZE.format(bundle=str(files.bundle), here=str(files.python))
    )
    pem = client.fetch("GET", "ca.pem")
    files.pem.write_bytes(pem)
    files.bundle.write_bytes(_trusted_already() + pem)
    files.truststore.write_bytes(client.fetch("GET", "ca.p12"))
    return files


def variables(gateway: str, trust: TrustFiles, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program that is to use the server at `gateway`; `environment` is what it has so far."""
    from localzure.server.certificates import TRUSTSTORE_PASSWORD  # late, as below: brings much
    from localzure.services.entra.managed_identity import APP_SERVICE_PATH, IDENTITY_HEADER

    parts = urlsplit(gateway)
    proxy = f"http://{parts.netloc}"
    found = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
    found |= {"NO_PROXY": NOT_PROXIED, "no_proxy": NOT_PROXIED, "NODE_USE_ENV_PROXY": "1"}
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"):
        found[name] = str(trust.bundle)
    found["NODE_EXTRA_CA_CERTS"] = str(trust.pem)
    found["JAVA_TOOL_OPTIONS"] = " ".join(
        [
            *filter(None, [environment.get("JAVA_TOOL_OPTIONS")]),
            f"-Djavax.net.ssl.trustStore={trust.truststore}",
            f"-Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}",
            *(f"-D{scheme}.proxyHost={parts.hostname}" for scheme in ("http", "https")),
            *(f"-D{scheme}.proxyPort={parts.port}" for scheme in ("http", "https")),
            "-Dhttp.nonProxyHosts=localhost|127.*",
        ]
    )
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(trust.python), environment.get("PYTHONPATH")]))
    for name, value in CREDENTIALS.items():
        found.setdefault(name, environment.get(name, value))
    return found | {
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": proxy,
        "IDENTITY_ENDPOINT": f"{proxy}{APP_SERVICE_PATH}",
        "IDENTITY_HEADER": IDENTITY_HEADER,
        "LOCALZURE_ENDPOINT": gateway,
    }


def _trusted_already() -> bytes:
    """What this machine trusts: the system's file, or the certificates that Python's TLS knows."""
    import ssl  # late: only needed here

    found: str | None = ssl.get_default_verify_paths().cafile
    if found and Path(found).is_file():
        return Path(found).read_bytes().rstrip() + b"\n"
    known = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(ssl.DER_cert_to_PEM_cert(each) for each in known).encode()
