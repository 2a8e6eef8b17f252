"""What the authority refuses, as OAuth 2.0 (RFC 6749, section 5.2) and Entra ID tell it.

Codes and their first sentences are those of "Microsoft Entra authentication and authorization error codes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localzure.services.interface import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Row(NamedTuple):
    """One outcome."""

    status: int
    error: str
    """The code of OAuth 2.0."""
    code: int
    """The number behind AADSTS; 0 for what Entra ID has none for."""
    text: str


ERRORS: Mapping[str, Row] = {
    "authorization_pending": Row(
        400,
        "authorization_pending",
        70016,
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    "bad_verification_code": Row(
        400,
        "bad_verification_code",
        70019,
        "Verification code has expired or is not known. Have the user retry the sign-in.",
    ),
    "client_mismatch": Row(
        401, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter."
    ),
    "assertion_expired": Row(401, "invalid_client", 700024, "Client assertion is not within its valid time range."),
    "assertion_invalid": Row(401, "invalid_client", 700027, "Client assertion failed signature validation."),
    "assertion_malformed": Row(401, "invalid_client", 50027, "JWT token is invalid or malformed."),
    "bad_secret": Row(401, "invalid_client", 7000215, "Invalid client secret provided."),
    "challenge_invalid": Row(
        400, "invalid_request", 501491, "The code_challenge or its method in the authorization request is invalid."
    ),
    "code_invalid": Row(
        400, "invalid_grant", 70008, "The provided authorization code is not known, has been used, or has expired."
    ),
    "redirect_invalid": Row(400, "invalid_client", 50011, "The redirect URI in the request is not a valid one."),
    "redirect_mismatch": Row(
        400, "invalid_client", 500112, "The reply address does not match that of the authorization request."
    ),
    "response_mode_invalid": Row(
        400, "invalid_request", 70007, "The response mode must be 'query', 'fragment' or 'form_post'."
    ),
    "response_type_unsupported": Row(
        400, "unsupported_response_type", 700054, "The response type must be 'code' here."
    ),
    "verifier_mismatch": Row(
        400,
        "invalid_grant",
        501481,
        "The code_verifier does not match the code_challenge of the authorization request.",
    ),
    "obo_assertion_invalid": Row(400, "invalid_grant", 50013, "Assertion failed signature validation."),
    "obo_assertion_expired": Row(400, "invalid_grant", 500133, "Assertion is not within its valid time range."),
    "obo_assertion_audience": Row(
        400, "invalid_grant", 500131, "Assertion audience does not match the client app that presents the assertion."
    ),
    "obo_not_a_user": Row(
        400, "invalid_grant", 7000114, "The application is not allowed to make application on-behalf-of calls."
    ),
    "internal_error": Row(500, "server_error", 0, "The authority failed; its log tells more."),
    "missing_credential": Row(
        401,
        "invalid_client",
        7000218,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    "missing_parameter": Row(
        400, "invalid_request", 900144, "The request body must contain the following parameter: '{parameter}'."
    ),
    "metadata_header_missing": Row(400, "bad_request_102", 0, "Required metadata header not specified."),
    "identity_header_missing": Row(401, "unauthorized", 0, "The header X-IDENTITY-HEADER is missing."),
    "not_found": Row(404, "not_found", 0, "The authority has nothing at this address."),
    "method_not_allowed": Row(405, "invalid_request", 0, "This address is not asked with that method."),
    "not_implemented": Row(
        501, "not_implemented", 0, "This part of Entra ID is not implemented by this emulator: {parameter}."
    ),
    "refresh_invalid": Row(
        400, "invalid_grant", 70000, "The provided grant has failed because it is invalid or malformed."
    ),
    "refresh_expired": Row(400, "invalid_grant", 700082, "The refresh token has expired."),
    "scope_invalid": Row(
        400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid."
    ),
    "too_large": Row(413, "invalid_request", 0, "The request body is too large."),
    "unsupported_grant": Row(
        400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '{parameter}'."
    ),
}
"""Name → outcome."""


class EntraError(ServiceError):
    """A refusal; the text never holds a secret, an assertion or a token."""

    def __init__(self, name: str, parameter: str = "") -> None:
        row = ERRORS[name]
        self.name = name
        self.row = row
        self.text = row.text.format(parameter=parameter) if "{" in row.text else row.text
        super().__init__(self.text)
