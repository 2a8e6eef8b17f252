"""What `localzure start` prints for people once the server serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localzure.config.settings import Settings

_LISTENERS = {
    "gateway": "Gateway",
    "http": "Gateway, HTTP",
    "blob": "Blob storage",
    "queue": "Queue storage",
    "table": "Table storage",
    "amqp": "Service Bus, AMQP",
    "servicebus": "Service Bus, HTTP",
}
_STRINGS = {"storage": "Storage", "servicebus": "Service Bus"}
_DURABILITY = {
    "process": "survives the end of the process",
    "full": "on disk before each reply",
}


def banner(endpoints: Mapping[str, str], connection_strings: Mapping[str, str], settings: Settings) -> str:
    """Where everything listens, where the data is, and the connection strings."""
    data = f"{settings.data_dir} ({_DURABILITY[settings.durability]})" if settings.data_dir else "in memory"
    rows = [(_LISTENERS.get(name, name), url) for name, url in endpoints.items()]
    strings = [(_STRINGS.get(name, name), string) for name, string in connection_strings.items()]
    return "\n".join(
        [
            f"LocalZure {__version__} is ready",
            "",
            *_table([*rows, ("Data", data)]),
            "",
            *_table(strings),
            "",
            "Ctrl+C stops it.",
        ]
    )


def _table(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of two columns."""
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in listed]
