"""No module is there that nobody uses."""

from __future__ import annotations

import grimp

ENTRY_POINTS = {"localzure.__main__", "localzure.cli.main", "localzure.testing"}
"""The modules that nobody has to import: they are started, or imported by users."""

AHEAD = {
    "localzure.server.certificate_files": "TLS",
    "localzure.server.certificates": "TLS",
    "localzure_protocols.tls": "TLS",
    "localzure_protocols.websocket": "WebSocket",
}
"""Modules that are complete and tested, and that the server does not serve yet: which wire each is for."""


def test_no_module_is_there_that_nobody_uses() -> None:
    graph = grimp.build_graph("localzure", "localzure_protocols", "localzure_storage", cache_dir=None)
    used = set(ENTRY_POINTS)
    unseen = list(used)
    while unseen:
        module = unseen.pop()
        parents = {module.rpartition(".")[0]} - {""}
        more = (graph.find_modules_directly_imported_by(module) | parents) - used
        used |= more
        unseen.extend(more)
    unused = graph.modules - used
    assert unused - AHEAD.keys() == set(), "nobody uses these"
    assert AHEAD.keys() - unused == set(), "these are used: take them off the list"
