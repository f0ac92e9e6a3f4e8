"""Every mistake in a config is one line that names the key; what does not apply never reaches a run's key."""

import re
import warnings
from importlib.resources import files
from pathlib import Path

import pytest

from linrep.errors import InputError, InputWarning, shown
from linrep.runs.config import Config
from linrep.runs.keys import LATER, key_of
from linrep.runs.near import FIELD_WORDS, LONGEST_KEY, did_you_mean, every_key
from linrep.runs.toml import load, parse

WORLD = {"kind": "random", "concepts": 3}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "world: missing"),
        ({"world": {"concepts": 3}}, "set world.kind to one of network, independent"),
        ({"world": {"kind": "foo"}}, "world.kind: expected one of network, .* got 'foo'"),
        ({"world": WORLD | {"edge_probabilty": 0.1}}, "did you mean 'world.edge_probability'"),
        ({"world": WORLD | {"concepts": 0}}, "world.concepts: expected greater than or equal to 1, got 0"),
        ({"world": WORLD | {"concepts": "3"}}, "world.concepts: expected a valid integer, got '3'"),
        ({"world": WORLD | {"probability_range": [0.7, 0.3]}}, "low <= high"),
        ({"world": WORLD | {"probability_range": [0.3, 1.3]}}, "less than or equal to 1"),
        ({"world": WORLD, "model": 3}, "model: expected a table, got 3$"),
        ({"world": 3}, "world: expected a table, got 3$"),
        ({"world": WORLD, "shift": [3]}, r"shift: expected a table, got \[3\]$"),
        ({"world": WORLD | {"probability_range": 0.5}}, "probability_range: expected a list, got 0.5$"),
        (
            {"world": WORLD | {"probability_range": [0.1, 0.2, 0.3]}},
            "a list of at most 2 values, got",
        ),
        (
            {"world": WORLD, "contexts": {"kind": "list", "contexts": []}},
            r"at least 1 value, got \[\]$",
        ),
        ({"world": WORLD, "model": {"dim": 0}}, "model.dim: expected greater than or equal to 1"),
        ({"world": WORLD, "model": {"dim": 2.5}}, "model.dim: expected a valid integer"),
        (
            {"world": WORLD, "model": {"encoder": "lstm"}},
            "model.encoder: expected 'table', 'mlp' or 'transformer'",
        ),
        (
            {"world": WORLD, "model": {"encoder": "transformer", "heads": 5}},
            "heads: expected a divisor of the width, 32",
        ),
        (
            {"world": WORLD, "model": {"encoder": "mlp", "width": 0}},
            "model.width: expected greater than or equal to 1",
        ),
        (
            {"world": WORLD, "model": {"encoder": "mlp", "layers": 0}},
            "model.layers: expected greater than or equal",
        ),
        ({"world": WORLD, "runs": True}, "runs: expected a valid integer"),
        ({"world": WORLD, "training": {"step_size": float("nan")}}, "training.step_size"),
        (
            {"world": WORLD, "training": {"schedule": "geometric"}},
            "final_step_size: a geometric schedule needs",
        ),
        (
            {"world": WORLD, "training": {"optimizer": "lbfgs"}},
            "training.optimizer: expected 'gd', 'sgd', 'adam' or 'newton'",
        ),
        (
            {"world": WORLD, "training": {"optimizer": "gd", "step_size": 1.0, "samples": 7}},
            "samples: needs optimizer 'sgd', or 'gd' at step_size 'auto', got 'gd'",
        ),
        ({"world": WORLD, "training": {"optimizer": "adam", "samples": 7}}, "leave it out"),
        ({"world": WORLD, "training": {"optimizer": "newton", "samples": 7}}, "got 'newton'"),
        (
            {"world": WORLD, "training": {"samples": 0}},
            "training.samples: expected greater than or equal to 1",
        ),
        ({"world": WORLD, "training": {"samples": 1.5}}, "training.samples: expected a valid integer"),
        ({"world": WORLD, "contexts": {"kind": "known"}}, "contexts.at_most: missing"),
        ({"world": WORLD, "contexts": {"kind": "fraction", "fraction": 0}}, "greater than 0"),
        ({"world": WORLD, "seed": -1}, "seed: expected greater than or equal to 0"),
        ({"world": {"kind": "independent", "concepts": 2, "probabilities": [0.5]}}, "one per concept"),
        ({"wrold": WORLD}, "unknown key 'wrold', did you mean 'world'"),
        ({"world": WORLD, "contexts": {"kind": "known", "at_mots": 1}}, "did you mean 'contexts.at_most'"),
        (
            {"world": WORLD, "contexts": {"kind": "complete", "fraction": 1}},
            "for kind = 'complete', which kind = 'fraction' has; set that kind too, or remove the key",
        ),
        (
            {"world": {"kind": "tables", "variables": [{"name": "a"}, {"nmae": "b"}]}},
            "unknown key 'world.variables.1.nmae' for kind = 'tables', did you mean 'world.variables.1.name'",
        ),
    ],
)
def test_mistakes(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("trainig.steps=5", "training.steps"),
        ("training.stps=5", "training.steps"),
        ("trainig.stps=5", "training.steps"),
        ("steps=5", "training.steps"),
        ("model.steps=5", "training.steps"),
        ("dim=5", "model.dim"),
        ("lr=3", "training.step_size"),
        ("LR=3", "training.step_size"),
        ("learning_rate=3", "training.step_size"),
        ("training.learning-rate=3", "training.step_size"),
        ("model.hidden=5", "model.dim"),
        ("width=5", "model.dim"),
        ("k=5", "model.dim"),
        ("m=5", "world.concepts"),
        ("world.m=5", "world.concepts"),
        ("batch_size=5", "training.batch_size"),
        ("epochs=5", "training.steps"),
        ("seeds=5", "runs"),
        ("world.lr=5", None),
        ("training.momentum=5", None),
        ("model.dims=5", "model.dim"),
        ("wrold.kind=chain", "world.kind"),
        ("world.concept=5", "world.concepts"),
        ("shift.stpe=5", "shift.step"),
        ("trainig=5", "training"),
        ("training.colour=5", None),
        ("steps" * 10**5 + "=5", None),
        ("7=5", None),
        ("training.7=5", None),
        ("7.steps=5", "training.steps"),
        ("colour.steeps.high=5", None),
    ],
    ids=lambda text: (text or "none")[:30],
)
def test_a_misspelt_key_is_told_with_the_whole_name_of_the_nearest(
    override: str, nearest: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "x.toml"
    path.write_text("world = { kind = 'random', concepts = 3 }")
    with pytest.raises(InputError) as caught:
        load(path, [override])
    said, given = str(caught.value), shown(override.partition("=")[0])
    assert said.startswith(f"{path}: unknown key {given}")
    assert (f", did you mean '{nearest}'?" in said) if nearest else ("did you mean" not in said)
    assert "\n" not in said


def test_a_key_of_another_kind_is_told_with_the_kinds_that_know_it(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("world = { kind = 'random', concepts = 3 }\ncontexts = { kind = 'complete' }")
    for override, kinds in (("world.network=asia", "'network'"), ("contexts.at_most=2", "'known'")):
        with pytest.raises(InputError) as caught:
            load(path, [override])
        key = override.partition("=")[0]
        words = f"unknown key '{key}' for kind = "
        assert words in str(caught.value)
        assert f", which kind = {kinds} has; set that kind too" in str(caught.value)
    with pytest.raises(InputError, match="'tables' has; "):
        load(path, ["world.variables=[]"])
    with pytest.raises(InputError) as caught:
        load(path, ["world.concepts_=3"])
    assert " has; " not in str(caught.value)


def test_every_key_is_nearest_to_itself() -> None:
    """What is told can be set: every name leads to a field of the schema."""
    names = set(every_key(Config))
    assert max(map(len, names)) < LONGEST_KEY / 2
    assert {"seed", "world.network", "contexts.at_most", "training.steps", "shift.step"} <= names
    for name in names:
        assert name in did_you_mean([*name.split(".")[:-1], name.split(".")[-1] + "x"], None)


def test_every_word_of_the_field_is_meant_for_a_key_and_is_none_itself() -> None:
    names = set(every_key(Config))
    words = [word for each in FIELD_WORDS for word in each.split()]
    assert set(FIELD_WORDS.values()) <= names
    assert len(set(words)) == len(words)
    assert not names & set(words)
    for each, key in FIELD_WORDS.items():
        assert all(did_you_mean([word], None) == f", did you mean '{key}'?" for word in each.split())


def test_only_what_applies_is_kept() -> None:
    adam = parse({"world": WORLD, "training": {"optimizer": "adam", "batch_size": 7, "final_step_size": 1.0}})
    assert adam.training.batch_size is None
    assert adam.training.final_step_size is None
    assert adam.training.step_size == 0.01
    sgd = parse({"world": WORLD})
    assert (sgd.training.batch_size, sgd.training.step_size) == (100, 5.0)


def test_a_table_has_no_width_and_networks_have_defaults() -> None:
    def sizes(**model: object) -> tuple[int | None, ...]:
        found = parse({"world": WORLD, "model": model}).model
        return found.width, found.layers, found.heads

    assert sizes(width=7, layers=3, heads=2) == (None, None, None)
    assert sizes(encoder="mlp", heads=2) == (64, 2, None)
    assert sizes(encoder="transformer", width=8) == (8, 2, 4)


def test_json_round_trip() -> None:
    config = parse({"world": {"kind": "tables", "variables": [{"name": "a", "table": [[0.5, 0.5]]}]}})
    assert Config.model_validate_json(config.model_dump_json()) == config
    assert parse(config.model_dump(mode="json")) == config


def test_overrides(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[world]\nkind = "random"\nconcepts = 3\n')
    config = load(path, ["training.steps=7", "training.optimizer=gd", "world.probability_range=[0.1, 0.2]"])
    assert config.training.steps == 7
    assert config.training.optimizer == "gd"
    assert config.world.probability_range == (0.1, 0.2)  # pyright: ignore
    for wrong in ("training.steps", "=3", "world.kind.x=1", ".=1"):
        with pytest.raises(InputError, match="--set"):
            load(path, [wrong])


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[world", b"world = 3", b""])
def test_malformed_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"c\.toml: "):
        load(path)
    with pytest.raises(InputError, match="linrep init"):
        load(tmp_path / "missing.toml")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["template.toml", "cli/demos/cube.toml", "cli/demos/asia.toml"])
def test_shipped_configs_are_valid(name: str, tmp_path: Path) -> None:
    path = tmp_path / Path(name).name
    path.write_bytes((files("linrep") / name).read_bytes())
    assert load(path).model_dump(mode="json").keys() >= {"world", "model", "training"}


NOT_USED = {"bootstrap", "free_threshold_nats"}
"""Read, so that runs of before are found."""


def test_template_shows_every_key() -> None:
    text = (files("linrep") / "template.toml").read_text()
    config = parse({"world": WORLD, "shift": {"step": 1}}).model_dump()  # the table that may be absent
    for section, value in config.items():
        keys = set(value if isinstance(value, dict) else [section]) - NOT_USED
        for key in keys:
            assert f"{key} = " in text, f"{section}.{key} is missing from the template"


def test_steps_that_find_their_size_say_what_they_cannot_have() -> None:
    for training, model, message in (
        ({"step_size": -1.0}, {}, "training.step_size: expected a number above 0, or 'auto', got -1.0"),
        ({"step_size": "auot"}, {}, "or 'auto', got 'auot'"),
        ({"step_size": "auto"}, {}, "'auto' needs optimizer 'gd', got 'sgd'"),
        ({"optimizer": "newton", "step_size": 1.0}, {}, "newton finds its own, got 1.0"),
        ({"optimizer": "gd", "step_size": "auto", "schedule": "cosine"}, {}, "got 'cosine'; leave it out"),
        ({"ridge": 1.0}, {}, "ridge: needs optimizer 'newton', got 'sgd'"),
        ({"optimizer": "newton"}, {"encoder": "mlp"}, "newton moves tables, got model.encoder 'mlp'"),
        ({}, {"start": "wide", "encoder": "mlp"}, "cut from tables, got encoder 'mlp'"),
        ({}, {"starts": 3}, "expected 1 unless start = 'wide', got 3"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            parse({"world": WORLD, "training": training, "model": model})
    with pytest.raises(InputError, match="newton needs 'float64', got 'float32'"):
        parse({"world": WORLD, "training": {"optimizer": "newton"}, "compute": {"dtype": "float32"}})
    with pytest.raises(InputError, match="would not see it"):
        parse({"world": WORLD, "training": {"until_excess": 0.1}, "shift": {"step": 5}})


def test_defaults_of_steps_that_find_their_size() -> None:
    plain = parse({"world": WORLD, "training": {"optimizer": "gd"}})
    assert (plain.training.step_size, plain.training.steps, plain.model.start) == ("auto", 3000, "normal")
    scheduled = parse({"world": WORLD, "training": {"optimizer": "gd", "schedule": "cosine"}})
    assert scheduled.training.step_size == 5.0
    newton = parse({"world": WORLD, "training": {"optimizer": "newton"}})
    assert (newton.compute.dtype, newton.training.until_excess, newton.training.ridge) == (
        "float64",
        1e-3,
        1e-6,
    )


def test_keys_that_came_later_leave_the_names_of_old_runs_as_they_were() -> None:
    fields = parse({"world": WORLD, "model": {"dim": 2}}).model_dump(mode="json")
    old = {name: dict(value) if isinstance(value, dict) else value for name, value in fields.items()}
    for table, later in LATER.items():
        for name in later:
            old[table].pop(name, None)  # not every kind of world has each
    assert key_of(old, None) == key_of(fields, None)
    for table, name, value in (
        ("world", "dependence", 0.5),
        ("model", "start", "wide"),
        ("training", "until_excess", 0.1),
    ):
        assert key_of({**fields, table: {**fields[table], name: value}}, None) != key_of(fields, None)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["world.concepts=3", "training.steps=7"],
        ["training.optimizer=newton"],
        ["contexts.kind=known", "contexts.at_most=2", "seed=4"],
        ["world.network=survey"],
        ["world={kind='chain', concepts=3}"],
        ["model.encoder=mlp", "training.optimizer=adam"],
    ],
)
def test_without_a_config_it_is_what_init_writes(overrides: list[str], tmp_path: Path) -> None:
    """The same run under the same key, as if init had written a file and --set had changed it."""
    path = tmp_path / "linrep.toml"
    path.write_bytes((files("linrep") / "template.toml").read_bytes())
    also = ["world.kind=network"] if "world.network=survey" in overrides else []
    also += ["model.start=normal"] if "model.encoder=mlp" in overrides else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        assert load(None, overrides) == load(path, [*also, *overrides])
