"""``linrep.explore.laboratory``: the live laboratory, started. Nothing of its server is imported before."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.explore.server import Laboratory

MISSING = 'the live laboratory needs more packages: pip install "linrep[explore]"'


def laboratory(config: Mapping[str, Any] | Path | str | None = None, *, port: int = 0) -> "Laboratory":
    """Start the live laboratory on this machine; open its ``address`` in a browser, ``close()`` ends it.

    It answers to 127.0.0.1 alone, and only where the address's token is given; it writes no file.

    Args:
        config: What the page opens with: plain data, or the path of a TOML file.
        port: 0 for any that is free.

    Raises:
        InputError: Packages that are missing, a config that cannot be watched, a port that is taken.

    Example:
        >>> with laboratory({"world": {"kind": "chain", "concepts": 3}}) as lab:
        ...     lab.address.startswith("http://127.0.0.1:")
        True
    """
    try:
        import starlette
        import uvicorn
        import websockets
    except ImportError:
        raise InputError(MISSING) from None
    del starlette, uvicorn, websockets
    from linrep.explore.server import Laboratory, Server
    from linrep.explore.setting import FIRST, setting_of
    from linrep.runs.toml import load, network_of

    if config is None:
        fields: Mapping[str, Any] = FIRST
    elif isinstance(config, Mapping):
        fields = config
    else:
        fields = load(config).model_dump(mode="json", exclude_none=True)
    network = network_of(fields)
    network = network if isinstance(network, str) else None
    setting_of(fields, network=network)
    return Laboratory(Server(fields, network=network), port=port)
