"""Picture, measures, wire and settings: each against what it stands for."""

import itertools
import threading
from typing import Any

import numpy as np
import pytest
import torch

import linrep
from linrep.explore.course import Course
from linrep.explore.frames import Frame, packed, unpacked
from linrep.explore.measures import Measured, ahead, measured
from linrep.explore.setting import FIRST, field_of, setting_of
from linrep.explore.turns import Turns
from linrep.explore.view import Picture, View

CUBE = torch.tensor([[a, b, c] for a in (0.0, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0)])
THREE = linrep.world(linrep.independent(3, probabilities=[0.5, 0.5, 0.5]))


def mixed() -> torch.Tensor:
    """A cube in five dimensions."""
    return CUBE @ torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(3))).Q[:3]


def test_a_planted_cube_is_shown_whole_and_its_arrows_are_one_a_concept() -> None:
    picture = View(THREE).picture(torch.zeros(27, 5), mixed())
    assert picture.shown == pytest.approx(1.0)
    arrows = picture.arrows.reshape(3, 4, 3)
    np.testing.assert_allclose(arrows, arrows[:, :1].repeat(4, 1), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(arrows, axis=2), 1.0, atol=1e-6)
    assert len(picture.contexts) == 0


def test_random_corners_have_arrows_of_many_directions() -> None:
    table = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    arrows = View(THREE).picture(torch.zeros(27, 5), table).arrows.reshape(3, 4, 3)
    assert np.abs(arrows - arrows[:, :1]).max() > 0.5


def test_arrows_keep_their_angles_of_all_dimensions() -> None:
    table = torch.randn(8, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    view = View(THREE)
    picture = view.picture(torch.zeros(27, 6), table)
    for concept, ends in enumerate(view.edges):
        steering = table.numpy()[ends[:, 1]] - table.numpy()[ends[:, 0]]
        steering /= np.linalg.norm(steering, axis=1, keepdims=True)
        mean = steering.mean(axis=0) / np.linalg.norm(steering.mean(axis=0))
        truth = np.degrees(np.arccos(steering @ mean))
        arrows = picture.arrows.reshape(3, 4, 3)[concept]
        np.testing.assert_allclose(np.linalg.norm(arrows, axis=1), 1.0, atol=1e-6)
        # The one axis that all leave by these angles is of length 1, four equations in three unknowns.
        axis, misfit, *_ = np.linalg.lstsq(arrows.astype(np.float64), steering @ mean, rcond=None)
        assert np.linalg.norm(axis) == pytest.approx(1.0, abs=1e-5)
        assert misfit.sum() < 1e-10
        assert picture.angles[concept] == pytest.approx(truth.mean())


def test_in_three_dimensions_arrows_are_the_projection() -> None:
    table = torch.randn(8, 3, generator=torch.Generator().manual_seed(5))
    view = View(THREE)
    picture = view.picture(torch.zeros(27, 3), table)
    ends = np.concatenate(view.edges)
    seen = picture.corners[ends[:, 1]] - picture.corners[ends[:, 0]]
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    np.testing.assert_allclose(picture.arrows, seen, atol=1e-5)


def test_the_view_turns_a_little_at_a_time_and_comes_to_rest() -> None:
    view = View(THREE)
    other = torch.randn(8, 5, generator=torch.Generator().manual_seed(7))
    view.picture(torch.zeros(27, 5), other)
    frames = [view.picture(torch.zeros(27, 5), mixed()).corners for _ in range(60)]
    moves = [float(np.abs(b - a).max()) for a, b in itertools.pairwise(frames)]
    assert moves[-1] < 1e-3 < moves[0]


@pytest.mark.parametrize("broken", [torch.nan, torch.inf, 1e300])
def test_tables_that_diverged_are_still_a_frame(broken: float) -> None:
    table = mixed().double()
    table[0, 0] = broken
    picture = View(THREE).picture(torch.full((27, 5), broken, dtype=torch.float64), table, contexts=True)
    got = unpacked(packed(Frame(run=0, step=1, picture=picture, measures={})))
    assert np.isfinite(got.picture.corners).all()


def test_contexts_reach_as_far_as_the_corners() -> None:
    f = torch.randn(27, 5, generator=torch.Generator().manual_seed(1)) * 100
    picture = View(THREE).picture(f, mixed(), contexts=True)
    far = [np.linalg.norm(points, axis=1).max() for points in (picture.contexts, picture.corners)]
    assert len(picture.contexts) == 27
    assert far[0] == pytest.approx(far[1], rel=1e-5)


def test_a_frame_goes_over_the_wire_to_a_thousandth() -> None:
    draw = np.random.default_rng(0)
    points = [draw.normal(size=(n, 3)).astype(np.float32) * size for n, size in ((8, 50), (12, 0.3), (27, 9))]
    sent = Frame(
        run=1,
        step=12345,
        picture=Picture(
            corners=points[0], arrows=points[1], contexts=points[2], shown=0.875, angles=(1.5, None)
        ),
        measures={"alignment": Measured(value=0.25, null=None)},
    )
    got = unpacked(packed(sent))
    assert (got.run, got.step, got.picture.shown, got.measures) == (1, 12345, 0.875, sent.measures)
    assert got.picture.angles == (1.5, None)
    reach = max(np.linalg.norm(part, axis=1).max() for part in (points[0], points[2]))
    np.testing.assert_allclose(got.picture.corners, points[0], atol=reach / 1000)
    np.testing.assert_allclose(got.picture.arrows, points[1], atol=1 / 1000)
    np.testing.assert_allclose(got.picture.contexts, points[2], atol=reach / 1000)


def test_a_look_says_what_the_ruler_says() -> None:
    course = Course(setting_of({**FIRST, "training": {"optimizer": "gd", "step_size": 1.0, "steps": 60}}))
    course.advance(60)
    found = measured(course.look())
    ruler = linrep.Ruler(course.world, seed=course.config.seed)
    said = ruler(*course.tables, step=60)
    assert found["linearity.unembedding"].value == said["linearity", "unembedding"]
    assert found["excess_loss_nats"].value == pytest.approx(said["excess_loss_nats", ""], rel=1e-6)
    assert found["excess_loss_nats"].null is None


@pytest.mark.parametrize(
    ("dim", "status", "linearity"),
    [(3, "additive_not_proven_optimal", 1.0), (2, "unreachable", None), (7, "optimal", 0.226)],
)
def test_what_lies_ahead_is_what_theory_says(dim: int, status: str, linearity: float | None) -> None:
    found = ahead(setting_of({**FIRST, "model": {"dim": dim}}))
    assert found.status == status
    assert found.limits.get("linearity.unembedding") == (
        None if linearity is None else pytest.approx(linearity, abs=1e-3)
    )
    assert found.price is not None


def test_a_world_that_theory_does_not_reach_is_no_error() -> None:
    found = ahead(setting_of({"world": {"network": "asia"}, "contexts": {"held_out": 0.2}}))
    assert found.limits == {}
    assert "holds out" in found.reason


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"model": {"dim": 0}}, "model.dim", "expected greater than or equal to 1, got 0"),
    ({"model": {"dim": 65}}, "model.dim", "at most 64"),
    ({"world": {"kind": "chain", "concepts": 9}}, "world.concepts", "at most 8"),
    ({"world": {"network": "/etc/passwd"}}, "world.network", "expected a published network"),
    ({"world": {"kind": "sparse", "concepts": 5}}, "world.kind", "no cube"),
    ({"training": {"step_size": -1.0}}, "training.step_size", "above 0"),
    ({"training": {"steps": 2_000_000}}, "training.steps", "at most 1,000,000"),
    ({"contexts": {"kind": "known", "at_most": 0}}, "contexts.at_most", ""),
    ({"world": {"kind": "chain", "concepts": 3}, "shift": {"step": 3}}, "shift", "one world"),
    ({"compute": {"device": "cuda"}}, "compute.device", "share the processor"),
    (
        {"world": {"kind": "chain", "concepts": 8}, "model": {"dim": 8}, "training": {"optimizer": "newton"}},
        "training.optimizer",
        "2,048 numbers of G",
    ),
    ({"colour": 3}, "", "unknown key 'colour'"),
]


@pytest.mark.parametrize(("parts", "field", "words"), WRONG, ids=[str(each[0]) for each in WRONG])
def test_what_is_wrong_is_a_sentence_with_its_place(parts: Any, field: str, words: str) -> None:
    with pytest.raises(linrep.InputError) as error:
        setting_of({**FIRST, **parts})
    assert words in str(error.value)
    assert field in ("contexts.at_most", field_of(error.value))
    assert "\n" not in str(error.value)


def test_a_network_too_large_is_refused_and_one_part_of_it_is_not() -> None:
    with pytest.raises(linrep.InputError, match=r"at most 8 to be watched|too many to"):
        setting_of({"world": {"network": "alarm"}})
    assert setting_of({"world": {"network": "asia"}}).world.model.concepts == 8


def test_turns_go_round() -> None:
    turns, order, begun = Turns(1), [], threading.Barrier(4)

    def tab(name: str) -> None:
        begun.wait()
        for _ in range(5):
            with turns.turn():
                order.append(name)
                while turns.waiting < 3 and len(order) < 8:  # all others wait before this one is done
                    pass

    threads = [threading.Thread(target=tab, args=(name,)) for name in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert sorted(order) == sorted("abcd" * 5)
    assert set(order[:4]) == set(order[4:8]) == set("abcd")
