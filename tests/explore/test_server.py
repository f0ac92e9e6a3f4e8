"""The server: who may ask, what a tab is told, and that a closed tab trains no more."""

import contextlib
import itertools
import json
import queue
import socket
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

import linrep
from linrep.explore import share
from linrep.explore.frames import Frame, unpacked
from linrep.explore.report import begun_report
from linrep.explore.setting import FIRST, setting_of
from linrep.explore.turns import Turns
from linrep.explore.view import View

pytest.importorskip("starlette")
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from linrep.explore.server import Laboratory, Server
from linrep.explore.tab import MOST_WISHES, Tab

HOME = "http://127.0.0.1:8000"
SHORT = {**FIRST, "seed": 2, "training": {"optimizer": "gd", "step_size": 1.0, "steps": 400}}
ENDLESS = {**FIRST, "training": {"optimizer": "gd", "step_size": 0.01, "steps": 1_000_000}}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(server: Server) -> TestClient:
    return TestClient(server.app, base_url=HOME)


class Live:
    """A tab as a test sees it."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def ask(self, **wish: Any) -> None:
        self.session.send_json(wish)

    def next(self) -> Frame | dict[str, Any]:
        message = self.session.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"])
        if message.get("bytes") is None:
            return json.loads(message["text"])
        self.ask(do="seen")
        return unpacked(message["bytes"])

    def told(self, kind: str) -> dict[str, Any]:
        """The next thing told of that kind; everything before is passed over."""
        while True:
            message = self.next()
            assert not isinstance(message, dict) or message["kind"] != "failed", message
            if isinstance(message, dict) and message["kind"] == kind:
                return message

    def frame(self) -> Frame:
        while True:
            if isinstance(message := self.next(), Frame):
                return message


def live(client: TestClient, server: Server, **headers: str) -> Any:
    address = f"ws://127.0.0.1:8000/live?token={server.token}"
    return client.websocket_connect(address, headers={"origin": HOME, **headers})


def test_the_page_needs_the_token_and_asks_for_nothing_else(client: TestClient, server: Server) -> None:
    answer = client.get(f"/?token={server.token}")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert answer.text.count("<script") == 2


REFUSED: list[tuple[str, str, dict[str, str], int]] = [
    ("no token", "/", {}, 403),
    ("a wrong token", "/?token=guess", {}, 403),
    ("two tokens", "/?token=TOKEN&token=guess", {}, 403),
    ("a path outside", "/etc/passwd?token=TOKEN", {}, 404),
    ("a path that climbs", "/../../etc/passwd?token=TOKEN", {}, 404),
    ("a path that climbs, written otherwise", "/%2e%2e/secret?token=TOKEN", {}, 404),
    ("another origin", "/?token=TOKEN", {"origin": "http://evil.example"}, 403),
    ("another port", "/?token=TOKEN", {"origin": "http://127.0.0.1:9"}, 403),
    ("no origin at all", "/?token=TOKEN", {"origin": "null"}, 403),
    ("a name that leads here", "/?token=TOKEN", {"host": "evil.example:8000"}, 403),
    ("a host that would be a policy", "/?token=TOKEN", {"host": "127.0.0.1:80; script-src *"}, 403),
    ("a host that begins as ours", "/?token=TOKEN", {"host": "127.0.0.1.evil.example"}, 403),
    ("a token in a cookie", "/", {"cookie": "token=TOKEN"}, 403),
    ("a token in a header", "/", {"authorization": "Bearer TOKEN"}, 403),
    ("the port that is left out", "/?token=TOKEN", {"host": "127.0.0.1"}, 200),
    ("another name of ours", "/?token=TOKEN", {"host": "localhost:9", "origin": "http://localhost:9"}, 200),
]


@pytest.mark.parametrize(
    ("path", "headers", "status"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_who_may_not_ask_is_refused(
    path: str, headers: dict[str, str], status: int, client: TestClient, server: Server
) -> None:
    given = {name: value.replace("TOKEN", server.token) for name, value in headers.items()}
    answer = client.get(path.replace("TOKEN", server.token), headers=given)
    assert answer.status_code == status
    assert server.token not in answer.text


@pytest.mark.parametrize(
    ("token", "headers"),
    [("guess", {}), ("TOKEN", {"origin": "http://evil.example"}), ("TOKEN", {"host": "evil.example"})],
)
def test_a_connection_is_refused_too(
    token: str, headers: dict[str, str], client: TestClient, server: Server
) -> None:
    address = f"ws://127.0.0.1:8000/live?token={token.replace('TOKEN', server.token)}"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(address, headers={"origin": HOME, **headers}),
    ):
        pass
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(address.replace("guess", server.token)):
        pass  # no Origin: not a browser


def test_a_run_is_played_to_its_end_and_its_toml_is_the_same_run(client: TestClient, server: Server) -> None:
    with live(client, server) as session:
        tab = Live(session)
        tab.ask(do="start", config=SHORT)
        begun = tab.told("begun")
        assert (begun["names"], begun["dim"], begun["steps"]) == (["C1", "C2", "C3"], 3, 400)
        assert sum(map(len, begun["edges"])) == 2 * 12
        tab.ask(do="pace", pace="fast")
        tab.ask(do="play")
        frames: list[Frame] = []
        ended: dict[str, Any] = {}
        while not ended:
            message = tab.next()
            if isinstance(message, Frame):
                frames.append(message)
            elif message["kind"] == "ended":
                ended = message
        tab.ask(do="toml")
        text = tab.told("toml")["text"]
    steps = [each.step for each in frames]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] == 400
    assert len(steps) > 20
    whole = linrep.run(tomllib.loads(text), progress=False)
    last = whole.trace[whole.trace["step"] == 400]
    for name, found in frames[-1].measures.items():
        measure, _, table = name.rpartition(".") if name.endswith("embedding") else (name, "", "")
        rows = last[(last["measure"] == measure) & (last["table"] == table) & (last["concept"] == "")]
        assert rows[rows["kind"] == "value"]["value"].tolist() == [found.value], name
    assert ended["word"] == whole.summary.ended.per_run[0]


def test_a_story_in_the_hand_step_pause_and_change(client: TestClient, server: Server) -> None:
    with live(client, server) as session:
        tab = Live(session)
        tab.ask(do="start", config=SHORT)
        tab.told("begun")
        assert tab.frame().step == 0
        for step in (1, 2):
            tab.ask(do="step")
            assert tab.frame().step == step
        tab.ask(do="contexts", shown=True)
        assert len(tab.frame().picture.contexts) == 27
        tab.ask(do="dimension")
        changed = tab.told("begun")
        assert (changed["dim"], changed["changed"]) == (4, True)
        tab.ask(do="step size", size=0.5)
        assert [each["step"] for each in tab.told("begun")["changes"]] == [2, 2]
        tab.ask(do="toml")
        text = tab.told("toml")["text"]
        assert "Changed by hand" in text
        assert "# after step 2: model.dim 3 → 4" in text
        tab.ask(do="start", config=SHORT, edit={"kind": "join", "parent": 0, "child": 1})
        assert tab.told("begun")["graph"]["arrows"] == [[0, 1]]


def test_two_runs_train_beside_each_other(client: TestClient, server: Server) -> None:
    with live(client, server) as session:
        tab = Live(session)
        tab.ask(do="start", config=SHORT)
        tab.ask(do="start", run=1, config={**SHORT, "model": {"dim": 6}})
        tab.ask(do="pace", pace="full")
        tab.ask(do="play")
        ended = {message["run"]: message for message in (tab.told("ended"), tab.told("ended"))}
        assert {run: each["step"] for run, each in ended.items()} == {0: 400, 1: 400}


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"do": "start", "run": True, "config": SHORT}, "", "run: expected 0 or 1, got True"),
    ({"do": "start", "config": SHORT, "edit": [1]}, "", "edit: expected a change of the graph, got [1]"),
    ({"do": "start", "config": {**SHORT, "compute": 3}}, "compute", "expected a table, got 3"),
    ({"do": "start", "config": {**SHORT, "seed": 2**53}}, "seed", "at most 9,007,199,254,740,991"),
    ({"do": "pace", "pace": ["fast"]}, "", "got ['fast']"),
    ({"do": "toml", "run": []}, "", "run: expected 0 or 1, got []"),
    ({"do": []}, "", "expected a wish, got []"),
    (
        {"do": "start", "config": SHORT, "edit": {"kind": "rename", "concept": 0, "name": "a\0b"}},
        "name",
        "cannot name a variable",
    ),
    ({"do": "start", "config": SHORT, "edit": {"kind": "bif", "text": "("}}, "bif", "is this a BIF file"),
    (
        {"do": "start", "config": {**SHORT, "model": {"dim": 0}}},
        "model.dim",
        "expected greater than or equal to 1",
    ),
    ({"do": "start", "config": {**SHORT, "training": {"step_size": "big"}}}, "training.step_size", "'big'"),
    ({"do": "start", "config": {**SHORT, "world": {"network": "/etc/passwd"}}}, "world.network", "published"),
    ({"do": "start", "config": 3}, "", "expected a config"),
    ({"do": "pace", "pace": "warp"}, "", "expected one of slow, normal, fast, full"),
    ({"do": "toml", "run": 7}, "", "run: expected 0 or 1, got 7"),
    ({"do": "toml"}, "", "there is none yet"),
    ({"do": "format disk"}, "", "expected a wish"),
]


def test_what_is_wrong_is_a_sentence_and_the_tab_lives_on(client: TestClient, server: Server) -> None:
    with live(client, server) as session:
        tab = Live(session)
        for wish, field, words in WRONG:
            tab.ask(**wish)
            told = tab.told("refused")
            assert words in told["says"]
            assert told["field"] == field
        for text in (b"\0", "", "{", "[]", "[" * 50_000, '{"do": ' + '{"a": ' * 60 + "1" + "}" * 61):
            (session.send_bytes if isinstance(text, bytes) else session.send_text)(text)
            assert "wish: expected" in tab.told("refused")["says"]
        tab.ask(do="start", config=SHORT)
        assert tab.told("begun")["dim"] == 3


def test_a_run_that_diverges_ends_with_advice(client: TestClient, server: Server) -> None:
    with live(client, server) as session:
        tab = Live(session)
        tab.ask(do="start", config={**SHORT, "training": {"optimizer": "gd", "step_size": 1e6, "steps": 200}})
        tab.ask(do="play")
        ended = tab.told("ended")
        assert (ended["word"], ended["excess"]) == ("diverged", None)
        assert "lower training.step_size" in ended["advice"]


def until(true: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not true():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


def test_step_sizes_that_are_no_numbers_are_refused_beside_the_field(
    client: TestClient, server: Server
) -> None:
    with live(client, server) as session:
        tab = Live(session)
        tab.ask(do="start", config=SHORT)
        for size in ("NaN", "Infinity", "1e400", "-1", "0", "1e308", "true", "null", '"1"', "1" + "0" * 400):
            session.send_text(f'{{"do": "step size", "size": {size}}}')
            told = tab.told("refused")
            assert (told["field"], told["do"]) == ("training.step_size", "step size"), size
            assert len(told["says"]) < 200


def test_what_fails_is_said_and_the_tab_lives_on(
    client: TestClient, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault\nof ours")

    with live(client, server) as session:
        tab = Live(session)
        monkeypatch.setattr("linrep.explore.tab.Course", broken)
        session.send_json({"do": "start", "config": SHORT, "serial": 7})
        session.send_json({"do": "toml"})
        told: list[dict[str, Any]] = []
        while not told or told[-1]["kind"] != "refused":
            told.append(json.loads(session.receive()["text"]))
        failed = {"kind": "failed", "says": "ZeroDivisionError: a fault of ours", "do": "start", "serial": 7}
        assert failed in told
        monkeypatch.undo()
        tab.ask(do="start", config=SHORT, serial=8)
        assert tab.told("begun")["serial"] == 8
    assert "a fault" in caplog.text


def test_memory_that_is_not_there_is_a_sentence(
    client: TestClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(*_: object, **__: object) -> None:
        torch.empty(2**60)

    with live(client, server) as session:
        tab = Live(session)
        monkeypatch.setattr("linrep.explore.tab.Course", large)
        tab.ask(do="start", config=SHORT)
        assert tab.told("refused")["says"].startswith("memory: ")


def test_a_start_that_another_follows_is_given_up() -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    slow = {**SHORT, "world": {"kind": "chain", "concepts": 6}, "model": {"start": "wide", "starts": 100}}
    with ThreadPoolExecutor(1) as theorist:
        tab = Tab(Turns(1), theorist, told.put)
        tab.do({"do": "start", "config": slow, "serial": 0})  # would take a minute
        time.sleep(0.2)
        for serial, dim in enumerate((1, 2, 4), start=1):
            tab.do({"do": "start", "config": {**SHORT, "model": {"dim": dim}}, "serial": serial})
        first = told.get(timeout=30)
        tab.close()
        tab.thread.join(5)
    assert (first["kind"], first["serial"], first["dim"]) == ("begun", 3, 4)


def test_the_second_run_goes_and_nothing_of_it_comes_after(client: TestClient, server: Server) -> None:
    with live(client, server) as session:
        tab = Live(session)
        tab.ask(do="start", config=SHORT)
        tab.ask(do="start", run=1, config=SHORT)
        tab.ask(do="play")
        assert tab.told("playing")["playing"]
        tab.ask(do="alone")
        tab.told("alone")
        while not isinstance(message := tab.next(), dict) or message["kind"] != "playing":
            assert message.run == 0 if isinstance(message, Frame) else message["run"] == 0
        assert not message["playing"]  # at its end


def told_by(tab: Tab, told: "queue.SimpleQueue[Any]", **wish: Any) -> list[Any]:
    """Everything said up to the answer to a wish that nobody knows."""
    tab.do(wish)
    tab.do({"do": "mark"})
    found: list[Any] = []
    while not found or not isinstance(found[-1], dict) or "'mark'" not in found[-1].get("says", ""):
        message = told.get(timeout=60)
        found.append(unpacked(message) if isinstance(message, bytes) else message)
    return [each for each in found[:-1] if isinstance(each, Frame) or each["kind"] != "theory"]


def test_a_slow_pace_stays_slow_and_a_step_is_one_step_wherever_it_is_made() -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    config = {**SHORT, "training": {"optimizer": "gd", "step_size": 0.1, "steps": 3000}}
    with ThreadPoolExecutor(1) as theorist:
        tab = Tab(Turns(1), theorist, told.put)
        for wish in ({"do": "start", "config": config}, {"do": "pace", "pace": "slow"}, {"do": "play"}):
            tab.do(wish)
        steps: list[int] = []
        while not steps or steps[-1] < 400:
            if isinstance(message := told.get(timeout=60), bytes):
                steps.append(unpacked(message).step)
                tab.do({"do": "seen"})
        strides = [after - before for before, after in itertools.pairwise(steps)]
        assert max(strides) == 5  # 600 looks of 3000 steps; fewer where these take their time
        assert sum(step % 5 == 0 for step in steps) > 0.6 * len(steps)
        told_by(tab, told, do="pause")
        at = [each.step for each in told_by(tab, told, do="contexts", shown=False) if isinstance(each, Frame)]
        for more in (1, 2, 3, 4):  # none is held back, though the tab has not drawn the last ones
            (frame,) = (each for each in told_by(tab, told, do="step") if isinstance(each, Frame))
            assert frame.step == at[-1] + more
        tab.close()
        tab.thread.join(5)


def test_what_is_taken_away_says_of_which_run_it_is_and_what_was_done_by_hand() -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with ThreadPoolExecutor(1) as theorist:
        tab = Tab(Turns(1), theorist, told.put)
        told_by(tab, told, do="start", config=SHORT)
        (alone,) = told_by(tab, told, do="toml")
        told_by(tab, told, do="start", run=1, config=SHORT)
        (first,), (second,) = (told_by(tab, told, do="toml", run=run) for run in (0, 1))
        told_by(tab, told, do="step")
        told_by(tab, told, do="dimension", run=1)
        (page,) = told_by(tab, told, do="page", run=1)
        tab.close()
        tab.thread.join(5)
    assert alone["text"].startswith(share.SAME)
    assert [each["text"].splitlines()[0] for each in (first, second)] == [
        "# Of the first run.",
        "# Of the second run.",
    ]
    assert first["text"].splitlines()[1] == share.SAME
    assert "model.dim 3 → 4" in page["text"]
    assert "After step 1" in page["text"]


@pytest.mark.parametrize(("dim", "add", "remove"), [(3, 4, 2), (6, 7, 5), (1, 2, 1), (None, 4, 2)])
def test_a_concept_more_or_less_keeps_the_room_beside(dim: int | None, add: int, remove: int) -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    config = {**SHORT, "model": {} if dim is None else {"dim": dim}}
    with ThreadPoolExecutor(1) as theorist:
        tab = Tab(Turns(1), theorist, told.put)
        for edit, width in (({"kind": "add"}, add), ({"kind": "remove", "concept": 0}, remove)):
            begun = told_by(tab, told, do="start", config=config, edit=edit)[0]
            assert begun["dim"] == width
        told_by(tab, told, do="start", config={**config, "model": {"dim": 2, "start": "wide"}})
        tab.close()
        tab.thread.join(5)


def test_names_are_shown_cut_and_kept_whole() -> None:
    long = "x" * 2000
    world = {"kind": "tables", "variables": [{"name": long, "table": [[0.5, 0.5]]}]}
    course = share.Course(setting_of({"world": world, "training": {"optimizer": "gd", "steps": 1}}))
    report = begun_report(0, course, View(course.world))
    assert report["names"] == ["x" * 39 + "…"]
    assert report["config"]["world"]["variables"][0]["name"] == long
    assert long in share.toml_of(course)


def test_what_went_before_step_0_is_said() -> None:
    for model, words in (
        ({"dim": 3}, ""),
        ({"dim": 3, "start": "wide"}, "for 300 steps at width 6, then cut"),
    ):
        course = share.Course(setting_of({**SHORT, "model": model}))
        note = begun_report(0, course, View(course.world))["note"]
        assert words in note
        assert bool(words) == bool(note)


def test_no_more_wishes_wait_than_a_page_has() -> None:
    with ThreadPoolExecutor(1) as theorist:
        tab = Tab(Turns(1), theorist, lambda _: None)
        tab.close()
        tab.thread.join(5)
        assert all(tab.do({"do": "seen"}) for _ in range(MOST_WISHES - 1))
        assert not all(tab.do({"do": "seen"}) for _ in range(2))


def test_a_closed_tab_stops_its_training(client: TestClient, server: Server) -> None:
    with live(client, server) as session:
        tab = Live(session)
        tab.ask(do="start", config=ENDLESS)
        tab.ask(do="pace", pace="full")
        tab.ask(do="play")
        assert tab.frame().step == 0
        (mine,) = server.tabs
        assert mine.thread.is_alive()
    assert until(lambda: not mine.thread.is_alive() and not server.tabs, 5.0)


def test_ten_tabs_share_two_places_alike() -> None:
    class Count:
        def __init__(self) -> None:
            self.steps = 0

        def __call__(self, message: bytes | dict[str, Any]) -> None:
            if isinstance(message, bytes):
                self.steps = unpacked(message).step
                self.tab.do({"do": "seen"})

        tab: Tab

    turns, counts = Turns(2), [Count() for _ in range(10)]
    with ThreadPoolExecutor(1) as theorist:
        for count in counts:
            count.tab = Tab(turns, theorist, count)
            count.tab.do({"do": "pace", "pace": "full"})
            count.tab.do({"do": "start", "config": ENDLESS})
            count.tab.do({"do": "play"})
        assert until(lambda: min(each.steps for each in counts) >= 100, 60)
        steps = [each.steps for each in counts]
        for count in counts:
            count.tab.close()
        assert until(lambda: not any(each.tab.thread.is_alive() for each in counts), 5)
    assert max(steps) < 8 * min(steps)


def test_the_page_of_a_run_is_that_of_the_run_or_of_the_tables_as_they_stand() -> None:
    course = share.Course(setting_of({**SHORT, "training": {**SHORT["training"], "steps": 20}}))
    course.advance(7)
    text = share.page_of(course)
    assert linrep.run(tomllib.loads(share.toml_of(course)), progress=False).key in text
    course.advance(20)
    whole = linrep.run(course.config, progress=False)
    assert torch.equal(whole.unembedding[0], course.tables[1])
    text = share.page_of(course)
    assert whole.key in text


def test_a_real_server_answers_on_this_machine_alone_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.error
    import urllib.request

    monkeypatch.setattr("linrep.explore.prompt.HEAD", 0.1)
    with Laboratory(Server()) as lab:
        assert lab.address.startswith(f"http://127.0.0.1:{lab.port}/?token=")
        assert until(lambda: lab.running, 5)
        with urllib.request.urlopen(lab.address, timeout=10) as answer:
            assert b"linrep" in answer.read()
            assert answer.headers["connection"] == "close"
        with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHo")  # and no more: it is not waited for
            with contextlib.suppress(ConnectionResetError):
                assert slow.recv(1) == b""
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{lab.port}/", timeout=10)
        assert refused.value.code == 403
        with pytest.raises(linrep.InputError, match=r"--port: .* cannot be used"):
            Laboratory(Server(), port=lab.port)
    assert not lab.running
    assert threading.active_count() < 50
