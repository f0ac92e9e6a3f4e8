"""How to get the same again, and whom to cite."""

import json
from collections.abc import Mapping
from typing import Any

import linrep
from linrep.page.shell import Block
from linrep.page.view import View

PAPER = """@inproceedings{jiang2024origins,
  title     = {On the Origins of Linear Representations in Large Language Models},
  author    = {Jiang, Yibo and Rajendran, Goutham and Ravikumar, Pradeep and Aragam, Bryon
               and Veitch, Victor},
  booktitle = {Proceedings of the 41st International Conference on Machine Learning},
  year      = {2024},
  note      = {arXiv:2403.03867}
}
"""


def to_toml(config: Mapping[str, Any]) -> str:
    """A config as TOML: what has no value is left out, tables come after values.

    Example:
        >>> print(to_toml({"seed": 0, "world": {"kind": "network", "network": "asia"}}))
        seed = 0
        <BLANKLINE>
        [world]
        kind = "network"
        network = "asia"
    """
    values = [
        f"{_key(k)} = {_value(v)}" for k, v in config.items() if not isinstance(v, Mapping) and v is not None
    ]
    parts = ["\n".join(values)] if values else []
    for name, table in config.items():
        if isinstance(table, Mapping):
            lines = [f"{_key(k)} = {_value(v)}" for k, v in table.items() if v is not None]
            parts.append("\n".join([f"[{_key(name)}]", *lines]))
    return "\n\n".join(parts)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, str):  # JSON escapes are TOML escapes, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def software() -> str:
    """BibTeX of linrep itself."""
    return f"""@software{{linrep,
  title   = {{linrep: why, when and how concepts become linear directions in language models}},
  version = {{{linrep.__version__}}}
}}
"""


def blocks(view: View) -> list[Block]:
    """Config, command and citation."""
    config = to_toml(view.config) + "\n"
    cite = PAPER + "\n" + software()
    return [
        Block(
            id="config",
            kind="code",
            title="Config, every default filled in",
            text=config,
            download=("config.toml", config),
        ),
        Block(
            id="cite",
            kind="code",
            title="How to cite",
            text=cite,
            caption="The paper whose latent model, claims and experiments this is, and the software.",
            download=("linrep.bib", cite),
        ),
        Block(
            id="reproduce",
            kind="code",
            title="The same again",
            text="linrep run config.toml",
            caption=f"Run {view.summary.get('run', '')}. Equal configs give bit-equal results on CPU at an "
            "equal number of threads.",
            size="wide",
        ),
    ]
