"""What a shared access signature signs: one line of fields per kind, service and version.

"Create a service SAS", "Create an account SAS" and "Create a user delegation SAS" grew with the versions; `sv` says
whose form a token has. A form is a list of parameters, signed one a line, with these words for what no parameter holds:

- `@account` the account's name; `@resource` the canonical resource, such as `/blob/myaccount/container/blob`
- `@snapshot` the `snapshot` of the request for `sr=bs`, its `versionid` for `sr=bv`
- `@headers` and `@query` the request's headers and parameters that `srh` and `srq` name
- `@end` nothing: what an account's form ends with
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.principal import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from localzure.auth.sas_token import SasToken

    Forms: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]

_OVERRIDES = "rscc rscd rsce rscl rsct"
_KEY = "skoid sktid skt ske sks skv"
_BOUND = f"sp st se @resource {_KEY} saoid suoid scid skdutid sduoid"
_RANGE = "spk srk epk erk"


def _forms(*rows: tuple[str, str]) -> Forms:
    return tuple((since, tuple(line.split())) for since, line in rows)


ACCOUNT_FORMS = _forms(
    ("2020-12-06", "@account sp ss srt st se sip spr sv ses @end"),
    ("2015-04-05", "@account sp ss srt st se sip spr sv @end"),
)
"""(first version, fields) of a signature for a whole account, the newest first."""

SERVICE_FORMS: Mapping[str, Forms] = {
    "b": _forms(
        ("2020-12-06", f"sp st se @resource si sip spr sv sr @snapshot ses {_OVERRIDES}"),
        ("2018-11-09", f"sp st se @resource si sip spr sv sr @snapshot {_OVERRIDES}"),
        ("2015-04-05", f"sp st se @resource si sip spr sv {_OVERRIDES}"),
        ("2013-08-15", f"sp st se @resource si sv {_OVERRIDES}"),
        ("2012-02-12", "sp st se @resource si sv"),
        ("", "sp st se @resource si"),
    ),
    "q": _forms(
        ("2015-04-05", "sp st se @resource si sip spr sv"),
        ("2012-02-12", "sp st se @resource si sv"),
    ),
    "t": _forms(
        ("2015-04-05", f"sp st se @resource si sip spr sv {_RANGE}"),
        ("2012-02-12", f"sp st se @resource si sv {_RANGE}"),
    ),
}
"""The same for a signature of one resource, by service."""

DELEGATION_FORMS: Mapping[str, Forms] = {
    "b": _forms(
        ("2026-04-06", f"{_BOUND} sip spr sv sr @snapshot ses @headers @query {_OVERRIDES}"),
        ("2025-07-05", f"{_BOUND} sip spr sv sr @snapshot ses {_OVERRIDES}"),
        ("2020-12-06", f"sp st se @resource {_KEY} saoid suoid scid sip spr sv sr @snapshot ses {_OVERRIDES}"),
        ("2020-02-10", f"sp st se @resource {_KEY} saoid suoid scid sip spr sv sr @snapshot {_OVERRIDES}"),
        ("2018-11-09", f"sp st se @resource {_KEY} sip spr sv sr @snapshot {_OVERRIDES}"),
    ),
    "q": _forms(("2025-07-05", f"sp st se @resource {_KEY} skdutid sduoid sip spr sv")),
    "t": _forms(("2025-07-05", f"sp st se @resource {_KEY} skdutid sduoid sip spr sv {_RANGE}")),
}
"""The same for a signature with a user delegation key."""

PREFIX_VERSION = "2015-02-21"
"""From this version on the canonical resource begins with the service's name."""

SERVICE_NAMES: Mapping[str, str] = {"b": "blob", "q": "queue", "t": "table"}


def form_of(token: SasToken, service: str) -> tuple[str, ...]:
    """Return what a token signs. Raises AuthenticationError for a version that has no such token."""
    if token.kind == "account":
        forms = ACCOUNT_FORMS
    else:
        forms = (SERVICE_FORMS if token.kind == "service" else DELEGATION_FORMS)[service]
    for since, form in forms:
        if token.version >= since:
            return form
    raise AuthenticationError("AuthenticationFailed", detail="sv is too old for a signature of this kind")


def canonical_resource(token: SasToken, service: str, account: str, path: str) -> str:
    """Return how a token names what it is for; `path` is `container/blob`, a queue's or a table's name."""
    prefix = f"/{SERVICE_NAMES[service]}" if token.version >= PREFIX_VERSION else ""
    return f"{prefix}/{account}/{path}"


def string_to_sign(form: tuple[str, ...], token: SasToken, words: Mapping[str, str]) -> str:
    """Return the text that is signed; `words` has the values of the words that begin with an at sign."""
    values = token.values
    return "\n".join([words.get(name, "") if name[0] == "@" else values.get(name, "") for name in form])
