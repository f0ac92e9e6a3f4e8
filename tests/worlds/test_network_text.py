"""BIF files as people have them: roots without a table, any properties, rounding, quotes, encodings."""

import gzip
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep.errors import InputError, InputWarning
from linrep.worlds.concepts import ConceptModel, from_tables
from linrep.worlds.network import load_network, read_bif, write_bif
from linrep.worlds.network_file import NETWORKS, OF_PGMPY, network_path
from tests.worlds.test_network import RAIN, read, same

LAMP = """network lamp { }
variable switch { type discrete [ 2 ] { off, on }; }
variable light { type discrete [ 3 ] { dark, dim, bright }; }
probability ( switch ) { table 0.7, 0.3; }
probability ( light | switch ) { (off) 0.9, 0.08, 0.02; (on) 0.1, 0.2, 0.7; }
"""


@pytest.mark.parametrize(
    "root", ["default 0.7 0.3;", "() 0.7, 0.3;", "( ) 0.7 0.3;", "default 0.7, 0.3;", "table 0.7 0.3;"]
)
def test_a_root_s_row_may_be_labelled_in_any_way(root: str, tmp_path: Path) -> None:
    model = read(tmp_path, LAMP.replace("table 0.7, 0.3;", root))
    same(model, read(tmp_path, LAMP))
    torch.testing.assert_close(
        model.joint().reshape(2, 3).sum(0), torch.tensor([0.66, 0.116, 0.224], dtype=torch.float64)
    )


@pytest.mark.parametrize(
    "text",
    [
        '"position = (73, 165)"',
        "position = (73, 165)",
        'label = "on; off {daily}"',
        'label "a } b" and "c ; d"',
        "size = 5 [inch]",
        'size = 5"',
        'note = "first line; \n second line"',
        "link = http://example.org/a",
        "{ } ) (",
        "",
    ],
)
@pytest.mark.parametrize(
    "place",
    ["network lamp { ", "variable switch { ", "0.08, 0.02; ", "{ off, on }; ", "{ dark, dim, bright }; "],
)
def test_a_property_is_any_text(text: str, place: str, tmp_path: Path) -> None:
    model = read(tmp_path, LAMP.replace(place, f"{place}property {text} ; ", 1))
    same(model, read(tmp_path, LAMP))


def test_names_in_quotes_hold_anything_and_come_back(tmp_path: Path) -> None:
    odd = (
        LAMP.replace("switch", '"main switch, (left)"').replace("dark", '"[0, 1)"').replace("dim", '"a | b"')
    )
    model = read(tmp_path, odd)
    assert model.names[0] == "main switch, (left)"
    assert model.states[1] == ("[0, 1)", "a | b", "bright")
    plain = read(tmp_path, LAMP)
    assert all(torch.equal(a, b) for a, b in zip(model.tables, plain.tables, strict=True))
    write_bif(model, tmp_path / "copy.bif")
    same(read_bif(tmp_path / "copy.bif"), model)


@given(
    st.lists(
        st.text(
            st.characters(exclude_characters='"', categories=["L", "N", "P", "S", "Zs"]), min_size=1
        ).filter(lambda word: word.isprintable() and word != "?"),
        min_size=6,
        max_size=6,
        unique=True,
    )
)
@settings(deadline=None, max_examples=60)
def test_any_names_round_trip(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    a, b, *states = words
    model = from_tables(
        [a, b],
        {a: [[0.25, 0.75]], b: [[0.5, 0.5], [0.125, 0.875]]},
        parents={b: [a]},
        states={a: states[:2], b: states[2:]},
    )
    path = tmp_path_factory.getbasetemp() / "any.bif"
    write_bif(model, path)
    same(read_bif(path), model)


@pytest.mark.parametrize(
    ("row", "first"),
    [
        ("0.3333, 0.3333, 0.3333", 1 / 3),
        ("0.333, 0.333, 0.333", 1 / 3),
        ("0.33, 0.33, 0.33", 1 / 3),
        ("0.67, 0.17, 0.17", 0.67 / 1.01),
        ("0.142857, 0.857142, 0", 1 / 7),
        ("1, 1E-3, 0", 1 / 1.001),
    ],
)
def test_rows_rounded_to_their_digits_are_scaled_and_that_is_said_once(
    row: str, first: float, tmp_path: Path
) -> None:
    with pytest.warns(InputWarning, match=r"net\.bif: 1 row sums to 1 only .* 'light' in line 5") as said:
        model = read(tmp_path, LAMP.replace("0.9, 0.08, 0.02", row))
    assert len(said) == 1
    assert float(model.tables[1][0].sum()) == pytest.approx(1, abs=1e-15)
    assert float(model.tables[1][0, 0]) == pytest.approx(first, abs=2e-6)


@pytest.mark.parametrize(
    "row",
    [
        "0.9, 0.1, 0.1",
        "0.3, 0.3, 0.3",
        "0.3333, 0.3333, 0.3323",
        "0.9, 0.08, 0.12",
        "0.5, 0.25, 0.15",
        "1, 0, 1",
    ],
)
def test_what_is_further_off_than_its_digits_is_refused(row: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 5: variable 'light', row \(off\): .*sum to 1"):
        read(tmp_path, LAMP.replace("0.9, 0.08, 0.02", row))


def test_exact_files_are_read_without_a_word(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path, LAMP)
        for name in NETWORKS:
            load_network(name)


@pytest.mark.parametrize("name", ["net.bif.gz", "net.bif"])
def test_compressed_files_are_read_whatever_their_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(LAMP.encode()))
    same(read_bif(tmp_path / name), read(tmp_path, LAMP))
    packed = gzip.compress(LAMP.encode())
    for damaged in (packed[:-9], packed[:12] + b"\xff\xff" + packed[14:], packed[:2]):
        (tmp_path / "cut.bif.gz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"cut\.bif\.gz: cannot be unpacked") as raised:
            read_bif(tmp_path / "cut.bif.gz")
        assert "\n" not in str(raised.value)
    (tmp_path / "bomb.bif.gz").write_bytes(gzip.compress(b" " * (2**23 + 1)))
    with pytest.raises(InputError, match="more when unpacked"):
        read_bif(tmp_path / "bomb.bif.gz")


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-16", "got UTF-16; `iconv"),
        ("latin-1", r"byte 0xe9 in line 3, as Windows-1252"),
        ("cp1252", "line 3"),
    ],
)
def test_a_wrong_encoding_is_named(encoding: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "net.bif"
    path.write_bytes(LAMP.replace("light", "clarté").encode(encoding))
    with pytest.raises(InputError, match=said):
        read_bif(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("network lamp {", "net lamp {", 1),
        ("type discrete [ 2 ]", "kind discrete [ 2 ]", 2),
        ("discrete [ 2 ]", "discrete [ 3 ]", 2),
        ("discrete [ 3 ]", "continuous [ 3 ]", 3),
        ("0.2, 0.7; }", "0.2, 0.7; property never closed }", 5),
        ("{ off, on };", "{ off, off };", 2),
        ("switch ) { table", "switch ) { tables", 4),
        ("( switch )", "( switch", 4),
        ("table 0.7, 0.3", "table 0.7, x", 4),
        ("table 0.7, 0.3", "table 0.7", 4),
        ("table 0.7, 0.3;", "", 4),
        ("(on) 0.1,", "(maybe) 0.1,", 5),
        ("(on) 0.1, 0.2, 0.7; ", "", 5),
        ("| switch", "| lever", 5),
        ("probability ( light", "/* probability ( light", 5),
        ("( light |", '( "light |', 5),
        ("0.1, 0.2, 0.7; }", "0.1, 0.2, 0.7;", 5),
    ],
)
def test_every_error_names_its_line(old: str, new: str, line: int, end: str, tmp_path: Path) -> None:
    text = LAMP.replace(old, new, 1)
    assert text != LAMP
    path = tmp_path / "net.bif"
    path.write_bytes(text.replace("\n", end).encode())
    with pytest.raises(InputError, match=rf"net\.bif, line {line}: ") as raised:
        read_bif(path)
    assert "\n" not in str(raised.value)


def test_a_hundred_thousand_stray_marks_take_no_time(tmp_path: Path) -> None:
    """None of the patterns is quadratic: each of these would take minutes."""
    for text in ('variable a { property "' + '";"' * 100_000, "/*" * 200_000, '" ' * 200_000, "[" * 200_000):
        with pytest.raises(InputError):
            read(tmp_path, text)


@pytest.mark.parametrize("name", ["alarm", "child", "survey", "sachs", "insurance"])
def test_networks_of_pgmpy_are_what_pgmpy_reads(name: str) -> None:
    """Every row, by the names of variables and states, after the same scaling."""
    from tests.support.oracles import pgmpy_network

    model, theirs = load_network(name), pgmpy_network(name)
    assert set(model.names) == set(theirs.nodes)
    assert {(model.names[a], model.names[b]) for a, b in model.edges()} == set(theirs.edges())
    for i, own in enumerate(model.names):
        cpd = theirs.get_cpds(own)
        order = [model.names[parent] for parent in model.parents[i]]
        assert sorted(order) == sorted(cpd.variables[1:])
        values = torch.from_numpy(cpd.values)
        axes = [cpd.variables.index(each) for each in (*order, own)]
        values = values.permute(axes)
        for axis, each in enumerate((*order, own)):
            states = model.states[model.names.index(each)]
            places = [cpd.state_names[each].index(state) for state in states]
            values = values.index_select(axis, torch.tensor(places))
        values = values / values.sum(-1, keepdim=True)
        torch.testing.assert_close(model.tables[i], values, rtol=0, atol=1e-15)


def test_every_network_of_pgmpy_is_found_by_name() -> None:
    for name in OF_PGMPY:
        assert network_path(name).name == f"{name}.bif.gz"


def test_a_pgmpy_without_its_files_is_one_true_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pgmpy" else real(name))
    with pytest.raises(InputError, match="'alarm' is a file of pgmpy, got none installed; install pgmpy"):
        load_network("alarm")
    load_network("asia")


def test_three_states_keep_the_order_of_the_file(tmp_path: Path) -> None:
    text = RAIN.replace("[ 2 ] { no, yes }", "[ 3 ] { yes, some, no }", 1).replace(
        "0.8, 0.2", "0.5, 0.3, 0.2"
    )
    model = read(tmp_path, text.replace("(yes) 0.0, 1.0;", "(yes) 0.0, 1.0; (some) 0.4, 0.6;"))
    assert isinstance(model, ConceptModel)
    assert model.states == (("yes", "some", "no"), ("no", "yes"))
    assert model.tables[0].tolist() == [0.5, 0.3, 0.2]
    assert model.tables[1].tolist() == [[0.0, 1.0], [0.4, 0.6], [0.9, 0.1]]
