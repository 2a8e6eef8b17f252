"""Why a message is a dead letter: what is written on it."""

from __future__ import annotations

REASON = "DeadLetterReason"
DESCRIPTION = "DeadLetterErrorDescription"
"""Application properties of a dead letter."""

HOPS_MAX = 4
"""How often a message is forwarded before it becomes a dead letter (Azure's limit)."""


def because_of_deliveries(attempts: int) -> dict[str, str]:
    """What is written on a message that was delivered too often."""
    return {
        REASON: "MaxDeliveryCountExceeded",
        DESCRIPTION: f"Message could not be consumed after {attempts} delivery attempts.",
    }


BECAUSE_OF_TIME = {
    REASON: "TTLExpiredException",
    DESCRIPTION: "The message expired and was dead lettered.",
}
"""What is written on a message whose time to live has ended."""

BECAUSE_OF_NO_SESSION = {
    REASON: "Session id is null.",
    DESCRIPTION: "Session enabled entity doesn't allow a message whose session identifier is null.",
}
"""What is written on a message without a session that came to a subscription with sessions."""

BECAUSE_OF_HOPS = {
    REASON: "MaxTransferHopCountExceeded",
    DESCRIPTION: f"The maximum number of allowed hops when forwarding between queues was exceeded ({HOPS_MAX}).",
}
"""What is written on a message that was forwarded too often."""
