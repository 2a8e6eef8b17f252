"""h2spec, the conformance suite for HTTP/2 servers, finds nothing: all its cases, the strict ones too."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from tests.protocols.http2_shell import serve
from tests.protocols.tls_client import authority

H2SPEC = shutil.which("h2spec")


async def _run_h2spec() -> tuple[int | None, str]:
    # Over TLS, where ALPN chooses: without it, a broken preface is taken for HTTP/1.1, and answered in it.
    server = await serve(authority().context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        arguments = ("--strict", "--tls", "--insecure", "--timeout", "2", "--port", str(port))
        process = await asyncio.create_subprocess_exec(
            str(H2SPEC), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()


@pytest.mark.skipif(
    H2SPEC is None,
    reason="needs h2spec on the PATH: go install github.com/summerwind/h2spec/cmd/h2spec@latest; "
    "test_http2_frames.py has its cases",
)
def test_h2spec_finds_nothing() -> None:
    status, output = asyncio.run(_run_h2spec())
    assert " 0 skipped, 0 failed" in output
    assert status == 0
