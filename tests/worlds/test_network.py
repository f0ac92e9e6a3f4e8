"""BIF in and out: round trips to the bit, which state is 1, and one line for whatever is malformed."""

import errno
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.seeds import generator
from linrep.worlds.concepts import ConceptModel, from_tables, random_dag
from linrep.worlds.network import load_network, read_bif, state_one, write_bif
from linrep.worlds.network_file import NETWORKS, network_path
from tests.support import oracles

RAIN = """network rain {
}
variable rain {
  type discrete [ 2 ] { no, yes };
}
variable wet {
  type discrete [ 2 ] { no, yes };
}
probability ( rain ) {
  table 0.8, 0.2;
}
probability ( wet | rain ) {
  (no) 0.9, 0.1;
  (yes) 0.0, 1.0;
}
"""


def same(one: ConceptModel, two: ConceptModel) -> None:
    assert (one.names, one.states, one.parents) == (two.names, two.states, two.parents)
    assert all(torch.equal(a, b) for a, b in zip(one.tables, two.tables, strict=True))


def read(folder: Path, text: str) -> ConceptModel:
    path = folder / "net.bif"
    path.write_text(text, encoding="utf-8")
    return read_bif(path)


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_networks_round_trip_to_the_bit(name: str, tmp_path: Path) -> None:
    write_bif(load_network(name), tmp_path / "copy.bif")
    same(read_bif(tmp_path / "copy.bif"), load_network(name))


@given(st.integers(0, 1000), st.permutations(["no", "yes"]), st.permutations(["left", "right"]))
@settings(deadline=None, max_examples=10)
def test_any_network_round_trips(
    tmp_path_factory: pytest.TempPathFactory, seed: int, first: list[str], second: list[str]
) -> None:
    """Random tables, names out of alphabetical order, and states counted as 1 against the rule."""
    drawn = random_dag(4, generator=generator(seed, "w"))
    names = ("z", "b-2", "é.x", "table")
    states = (tuple(first), tuple(second), ("low", "high"), ("1", "0"))
    model = ConceptModel(names=names, states=states, parents=drawn.parents, tables=drawn.tables)
    path = tmp_path_factory.mktemp("bif") / "net.bif"
    write_bif(model, path)
    same(read_bif(path), model)


@pytest.mark.parametrize("name", ["asia"])
def test_pgmpy_reads_what_we_write(name: str, tmp_path: Path) -> None:
    from pgmpy.readwrite import BIFReader

    model = load_network(name)
    write_bif(model, tmp_path / "copy.bif")
    copy, original = BIFReader(tmp_path / "copy.bif").get_model(), oracles.pgmpy_network(name)
    assert copy.check_model()
    assert set(copy.edges()) == set(original.edges())
    for cpd in original.get_cpds():
        found = copy.get_cpds(cpd.variable).to_factor()
        for c in oracles.vectors([2] * len(cpd.variables)):
            named = {n: cpd.state_names[n][k] for n, k in zip(cpd.variables, c, strict=True)}
            assert found.get_value(**named) == cpd.to_factor().get_value(**named)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "copy.bif"
    write_bif(load_network("asia"), path)
    before = path.read_text()

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="cannot be written"):
        write_bif(load_network("cancer"), path)
    assert [each.name for each in tmp_path.iterdir()] == ["copy.bif"]
    assert path.read_text() == before


def test_published_numbers() -> None:
    asia = load_network("asia")
    place = {name: i for i, name in enumerate(asia.names)}
    assert all(states == ("no", "yes") for states in asia.states)
    assert asia.tables[place["asia"]].tolist() == [0.99, 0.01]
    assert asia.tables[place["dysp"]][1, 0].tolist() == [0.2, 0.8]
    assert asia.parents[place["either"]] == (place["lung"], place["tub"])
    assert asia.tables[place["either"]][..., 1].tolist() == [[0, 1], [1, 1]]
    cancer = load_network("cancer")
    assert cancer.states[0] == ("low", "high")
    assert cancer.tables[2][1, 1].tolist() == [0.95, 0.05]
    quake = load_network("earthquake")
    assert quake.tables[2][0, 1].tolist() == [0.71, 0.29]


def test_marginals_known_from_the_literature() -> None:
    """P(dysp) in asia is 0.4360, P(lung) 0.055, P(tub) 0.0104."""
    asia = load_network("asia")
    p = asia.joint().reshape(asia.sizes)
    for name, expected in (("tub", 0.0104), ("lung", 0.055), ("bronc", 0.45), ("dysp", 0.435971)):
        axis = asia.names.index(name)
        assert float(p.select(axis, 1).sum()) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("states", "one"),
    [
        (("yes", "no"), 0),
        (("no", "yes"), 1),
        (("TRUE", "False"), 0),
        (("high", "low"), 0),
        (("1", "0"), 0),
        (("yes", "maybe"), 1),
        (("left", "right"), 1),
        (("normal", "abnormal"), 1),
    ],
)
def test_which_state_is_one(states: tuple[str, str], one: int, tmp_path: Path) -> None:
    assert state_one(states) == one
    text = RAIN.replace("no", "{0}").replace("yes", "{1}").replace("{\n", "{{\n").replace("}\n", "}}\n")
    model = read(tmp_path, text.replace("{ {0}, {1} };", "{{ {0}, {1} }};").format(*states))
    assert model.states[0] == (states if one else states[::-1])
    # The file's first state of rain has probability 0.8, and its second forces the second of wet.
    assert float(model.tables[0][1 - one]) == 0.8
    assert float(model.tables[1][one, one]) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        RAIN.rstrip(),
        RAIN.replace("\n", " "),
        RAIN.replace("\n", "\r\n"),
        RAIN.replace("}\n", "} // closing } brace {\n"),
        "/* a } comment { \n of two lines */" + RAIN,
        RAIN.replace("rain", '"rain"'),
        RAIN.replace("wet | rain", "wet rain"),
        RAIN.replace("(no) 0.9, 0.1", "(no) 0.9 0.1"),
        RAIN.replace("(yes) 0.0, 1.0", "default 0.0, 1.0"),
        RAIN.replace("(no) 0.9, 0.1;\n  (yes) 0.0, 1.0;", "table 0.9, 0.0, 0.1, 1.0;"),
        RAIN.replace("};\n", "};\n  property position = 73 ;\n", 1),
        "\ufeff" + RAIN,
        RAIN.replace("0.8", "8e-1"),
    ],
)
def test_the_same_network_in_other_dress(text: str, tmp_path: Path) -> None:
    same(read(tmp_path, text), read(tmp_path, RAIN))


def test_order_is_that_of_declaration(tmp_path: Path) -> None:
    head, tail = RAIN.split("variable rain", 1)
    declared, tables = tail.split("probability", 1)
    late = read(tmp_path, head + "probability" + tables + "variable rain" + declared)
    same(late, read(tmp_path, RAIN))


def attempt(path: Path) -> ConceptModel | None:
    """The network, or None if it was refused in one line; anything else raised fails the test."""
    try:
        return read_bif(path)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    return None


def without(text: str, start: str, end: str = "}\n") -> str:
    head, tail = text.split(start, 1)
    return head + tail.split(end, 1)[1]


MALFORMED = {
    "empty": ("", "empty file"),
    "blank": (" \n\t\n", "empty file"),
    "junk": ("The quick brown fox", "is this a BIF file"),
    "json": ('{"a": 1}', "is this a BIF file"),
    "only words": ("variable " * 5000, "too early"),
    "only braces": ("network {" * 5000, "too early"),
    "open comment": (RAIN + "/* never closed", "never closed"),
    "many open comments": ("/*/" * 200_000, "never closed|too early|BIF"),
    "no variable": ("network rain {\n}\n", "got none"),
    "no table": (without(RAIN, "probability ( wet"), "variable 'wet' has no probabilities"),
    "empty table": (RAIN.replace("table 0.8, 0.2;", ""), "variable 'rain' has no probabilities"),
    "missing row": (RAIN.replace("  (yes) 0.0, 1.0;\n", ""), "'wet' has no row for rain=yes"),
    "row twice": (RAIN.replace("(yes) 0.0", "(no) 0.0"), "'wet' has two rows for \\(no\\)"),
    "unknown row": (RAIN.replace("(yes) 0.0", "(maybe) 0.0"), "row \\(maybe\\)"),
    "long row label": (RAIN.replace("(yes) 0.0", "(yes, no) 0.0"), "row \\(yes, no\\)"),
    "short row": (RAIN.replace("0.0, 1.0", "1.0"), "row \\(yes\\): expected 2 probabilities, got 1"),
    "short table": (RAIN.replace("0.8, 0.2", "0.8"), "'rain' needs a table of 2 probabilities, got 1"),
    "row sum": (RAIN.replace("0.9, 0.1", "0.9, 0.2"), "line 13: variable 'wet', row \\(no\\).*sum to 1.1"),
    "root sum": (RAIN.replace("0.8, 0.2", "0.8, 0.1"), "line 10: variable 'rain': .*sum to 0.9"),
    "negative": (RAIN.replace("0.9, 0.1", "1.1, -0.1"), "'wet', row \\(no\\)"),
    "not a number": (RAIN.replace("0.9, 0.1", "0.9, x"), "row \\(no\\): expected probabilities, got 'x'"),
    "nan": (RAIN.replace("0.9, 0.1", "nan, nan"), "got 'nan'"),
    "infinite": (RAIN.replace("0.9, 0.1", "1e999, 0"), "got '1e999'"),
    "undefined parent": (RAIN.replace("| rain", "| snow"), "'wet' has the undefined parent 'snow'"),
    "unknown variable": (
        RAIN.replace("( rain )", "( snow )"),
        "'snow' has probabilities but is not declared",
    ),
    "declared twice": (RAIN.replace("variable wet", "variable rain"), "'rain' is declared twice"),
    "two tables": (RAIN.replace("( wet | rain )", "( rain )"), "'rain' has two probability blocks"),
    "one state": (RAIN.replace("[ 2 ] { no, yes }", "[ 1 ] { no }", 1), "'rain' must have two or more"),
    "equal states": (RAIN.replace("no, yes", "no, no", 1), "'rain' must have two or more different"),
    "no states": (
        RAIN.replace("  type discrete [ 2 ] { no, yes };\n", "", 1),
        "'rain' must have two or more",
    ),
    "wrong count": (RAIN.replace("[ 2 ]", "[ 3 ]", 1), "'rain' announces 3 states, got 2"),
    "cycle": (
        RAIN.replace(
            "( rain ) {\n  table 0.8, 0.2;", "( rain | wet ) {\n  (no) 0.8, 0.2;\n  (yes) 0.5, 0.5;"
        ),
        "no cycle, got (rain -> wet -> rain|wet -> rain -> wet)",
    ),
    "own parent": (
        RAIN.replace(
            "( rain ) {\n  table 0.8, 0.2;", "( rain | rain ) {\n  (no) 0.8, 0.2;\n  (yes) 0.5, 0.5;"
        ),
        "no cycle, got rain -> rain",
    ),
    "cut off": (RAIN[:-20], "too early|expected"),
    "unclosed": (RAIN.rstrip().removesuffix("}"), "too early"),
    "state_one": (RAIN.replace("};\n", "};\n  property state_one = maybe ;\n", 1), "state_one"),
    "nul": (RAIN + "\0", "binary"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_text_is_one_line(case: str, tmp_path: Path) -> None:
    text, said = MALFORMED[case]
    with pytest.raises(InputError, match=said) as raised:
        read(tmp_path, text)
    assert "\n" not in str(raised.value)
    assert "net.bif" in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\x00\xff", bytes(range(256)), "é".encode("utf-16"), b"\x00" * 100]
)
def test_binary_files_are_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.bif"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"net\.bif: expected") as raised:
        read_bif(path)
    assert "\n" not in str(raised.value)


@given(
    st.lists(
        st.sampled_from(
            [*RAIN.split(), "{", "}", "(", ")", ";", "|", ",", "[", '"', "/*", "//", "0.5", "default", "é"]
        )
    )
)
@settings(deadline=None, max_examples=300)
def test_shuffled_words_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "shuffled.bif"
    path.write_text(" ".join(words), encoding="utf-8")
    attempt(path)


@given(st.integers(0, len(RAIN)), st.integers(0, 40), st.sampled_from(["", "}", "x", "0.1,", ";"]))
@settings(deadline=None, max_examples=300)
def test_damaged_files_are_refused_or_read_whole(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, patch: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.bif"
    path.write_text(RAIN[:start] + patch + RAIN[start + length :], encoding="utf-8")
    model = attempt(path)
    if model is not None:
        assert model.concepts >= 1
        assert float(model.joint().sum()) == pytest.approx(1, abs=1e-9)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none.bif", "no such file"),
        (tmp_path, "folder"),
        (Path("/dev/null"), "device"),
    ):
        with pytest.raises(InputError, match=said):
            read_bif(path)
    for name in ("asai", "x" * 5000, "a\nb", "a\0b"):
        with pytest.raises(InputError, match="one of asia, cancer, earthquake") as raised:
            network_path(name)
        assert "\n" not in str(raised.value)
    big = tmp_path / "big.bif"
    big.write_bytes(b" " * (2**23 + 1))
    with pytest.raises(InputError, match="at most 8,388,608 bytes"):
        read_bif(big)


def test_what_a_file_cannot_hold(tmp_path: Path) -> None:
    half = [[0.5, 0.5]]
    quoted = from_tables(['a "b"'], {'a "b"': half})
    state = from_tables(["a"], {"a": half}, states={"a": ["no", 'y"es']})
    for model, said in ((quoted, "'a \"b\"'"), (state, "'y\"es'")):
        with pytest.raises(InputError, match=said):
            write_bif(model, tmp_path / "net.bif")
        assert not (tmp_path / "net.bif").exists()
    with pytest.raises(InputError, match="cannot be written"):
        write_bif(from_tables(["a"], {"a": half}), tmp_path / "none" / "net.bif")
