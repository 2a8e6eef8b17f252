"""The pages that people see: where they approve a device, sign in, and are sent back from."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from localzure.services.interface import HttpReply

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTER = "Enter the code that your device shows."
APPROVED = "The device is signed in. You can close this page."
UNKNOWN = "There is no such code, or its time is over. Enter the code that your device shows."

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in a device</title></head>
<body><main><h1>Sign in a device</h1><p role="status">{message}</p>
<form method="post" action="devicelogin"><label>Code <input name="otc" value="{code}" autofocus></label>
<button>Approve</button></form></main></body></html>
"""


_SIGN_IN = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in</title></head>
<body><main><h1>Sign in</h1><p>{client} asks you to sign in.</p>
<p><a href="{address}">Continue as Local User</a></p></main></body></html>
"""

_SUBMIT = "document.forms[0].submit()"

_FORM_POST = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Signed in</title></head>
<body><form method="post" action="{redirect}">{inputs}<button>Continue</button></form>
<script>{script}</script></body></html>
"""

_SUBMIT_HASH = b64encode(hashlib.sha256(_SUBMIT.encode()).digest()).decode("ascii")


def page(message: str, code: str) -> HttpReply:
    """Return the page with a message and a code that may be wrong."""
    shown = _PAGE.format(message=escape(message), code=escape(code[:64]))
    return _html(shown, "default-src 'none'; form-action 'self'", 404 if message is UNKNOWN else 200)


def sign_in(client: str, address: str) -> HttpReply:
    """Return the page at which a person signs in for an app; `address` is where that leads."""
    return _html(_SIGN_IN.format(client=escape(client[:64]), address=escape(address)), "default-src 'none'")


def form_post(redirect: str, told: Mapping[str, str]) -> HttpReply:
    """Return the page that sends an app what it is told, in a form ("OAuth 2.0 Form Post Response Mode")."""
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in told.items()
    )
    shown = _FORM_POST.format(redirect=escape(redirect), inputs=inputs, script=_SUBMIT)
    return _html(shown, f"default-src 'none'; script-src 'sha256-{_SUBMIT_HASH}'")


def _html(shown: str, policy: str, status: int = 200) -> HttpReply:
    headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
    ]
    return HttpReply(status, headers, shown.encode())
