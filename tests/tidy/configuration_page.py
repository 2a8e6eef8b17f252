"""Writes docs/configuration.md from the table of settings: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from localzure.config.options import CONFIG_VARIABLE, OPTIONS

if TYPE_CHECKING:
    from localzure.config.options import Option

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

HEAD = f"""# Configuration

Every setting, from the table that the server reads them by (`localzure/config/options.py`). This page is written by
`make docs`, and a test fails when it is not what the table says.

A setting is a flag of `localzure start`, an environment variable, and a key of the configuration file that
`--config FILE` (`{CONFIG_VARIABLE}`) names, in YAML or JSON. The command line wins over the environment, the
environment over the file. What is wrong is refused at start in one line that says where it stands and what is allowed.
`localzure config show` tells what is in force and where each value is from.

```yaml title="localzure.yaml"
auth: any
ports: {{blob: 11000}}
storage:
  accounts:
    mine: [Zmlyc3Qga2V5, c2Vjb25kIGtleQ==]
```

`AZURITE_ACCOUNTS=name:key[:key];…` gives storage accounts as Azurite's variable does.

| in the file | flag | variable | what |
| --- | --- | --- | --- |
"""

TAIL = """
Those without a flag belong into the file: [fault rules and limits](faults.md), [accounts of storage](blob-storage.md),
[keys and tokens](authentication.md), [host names](addresses.md).
"""


def page() -> str:
    """The page as it should be."""
    return HEAD + "".join(_row(option) for option in OPTIONS if option.served) + TAIL


def _row(option: Option) -> str:
    flag = f"`{option.flag}{' ' + option.metavar if option.metavar else ''}`" if option.flag else ""
    variable = f"`{option.variable}`" if option.variable else ""
    return f"| `{option.path}` | {flag} | {variable} | {option.help.replace('|', ' or ')} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
