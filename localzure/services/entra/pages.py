"""The page at which a person approves a device."""

from __future__ import annotations

from html import escape

from localzure.services.interface import HttpReply

ENTER = "Enter the code that your device shows."
APPROVED = "The device is signed in. You can close this page."
UNKNOWN = "There is no such code, or its time is over. Enter the code that your device shows."

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in a device</title></head>
<body><main><h1>Sign in a device</h1><p role="status">{message}</p>
<form method="post" action="devicelogin"><label>Code <input name="otc" value="{code}" autofocus></label>
<button>Approve</button></form></main></body></html>
"""


def page(message: str, code: str) -> HttpReply:
    """Return the page with a message and a code that may be wrong."""
    headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; form-action 'self'"),
        ("x-content-type-options", "nosniff"),
    ]
    status = 404 if message is UNKNOWN else 200
    return HttpReply(status, headers, _PAGE.format(message=escape(message), code=escape(code[:64])).encode())
