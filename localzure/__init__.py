"""LocalZure: Azure on the desk, in one process, for the official SDKs unmodified."""

__version__ = "0.1.0"
