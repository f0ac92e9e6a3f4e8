"""Planted results and their pages."""

from pathlib import Path
from typing import Any

import pytest

import linrep
from linrep import page

from .planted import ASIA, DAGS, HOSTILE, planted

QUICK = {
    "training": {"optimizer": "gd", "steps": 200, "snapshots": 4},
    "measure": {"bootstrap": 100, "null_draws": 4},
    "compute": {"threads": 1},
}


@pytest.fixture(scope="session")
def dags() -> Any:
    return planted(DAGS)


@pytest.fixture(scope="session")
def asia() -> Any:
    return planted(ASIA, held=())


@pytest.fixture(scope="session")
def hostile() -> Any:
    return planted(HOSTILE, held=())


@pytest.fixture(scope="session")
def categorical() -> Any:
    return linrep.run(
        {**QUICK, "runs": 2, "world": {"kind": "categorical", "concepts": 3, "states": [3, 2, 4]}}
    )


@pytest.fixture(scope="session")
def nested() -> Any:
    world = {"kind": "categorical", "concepts": 3, "states": [2, 3, 2], "nested": {"C2": "C1=1"}}
    return linrep.run({**QUICK, "runs": 1, "world": world})


@pytest.fixture(scope="session")
def dags_page(dags: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(dags, tmp_path_factory)


@pytest.fixture(scope="session")
def categorical_page(categorical: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(categorical, tmp_path_factory)


@pytest.fixture(scope="session")
def hostile_page(hostile: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(hostile, tmp_path_factory)


def _written(result: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page.render(result), encoding="utf-8")
    return path
