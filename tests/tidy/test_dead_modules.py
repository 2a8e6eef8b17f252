"""No module is there that nobody uses."""

from __future__ import annotations

import grimp

ENTRY_POINTS = {
    "localzure.__main__",
    "localzure.cli.azurite",
    "localzure.cli.main",
    "localzure.testing",
    "localzure.testing.plugin",
}
"""The modules that nobody has to import: they are started, or imported by users and by pytest."""

AHEAD: dict[str, str] = {}
"""Modules and packages that are tested, and that the server does not serve yet: what each is for."""


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
    ahead = {name: {module for module in unused if f"{module}.".startswith(f"{name}.")} for name in AHEAD}
    assert sorted(unused.difference(*ahead.values())) == [], "nobody uses these"
    assert [name for name, modules in ahead.items() if not modules] == [], "these are used: take them off the list"
