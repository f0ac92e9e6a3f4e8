"""What is taken away: a config that makes the same run, and a page of what stands now."""

from collections.abc import Callable
from dataclasses import replace

from linrep.explore.course import Course
from linrep.laboratory.measuring import measure
from linrep.laboratory.run import run
from linrep.page.reading import page
from linrep.page.rendering import run_page
from linrep.page.shell import assemble
from linrep.runs.config import Config
from linrep.runs.toml import as_toml

SAME = "# The same run, to the bit: linrep run explored.toml"
STANDS = "# On the page it stands at step {step:,} of {steps:,}; this one goes on to its end."
BY_HAND = (
    "# Changed by hand on the way, which a config cannot say: it trains by the last values from the start."
)


def toml_of(course: Course, whose: str = "") -> str:
    """The config of a run as far as it has come, every default filled in.

    Args:
        course: Paused or over; one that is not over is cut where it stands, if that makes the same run.
        whose: "first" or "second", where there are two.

    Example:
        >>> from linrep.explore.setting import FIRST, setting_of
        >>> course = Course(setting_of(FIRST))
        >>> course.advance(5)
        >>> print(toml_of(course).splitlines()[0], "steps = 5" in toml_of(course))
        # The same run, to the bit: linrep run explored.toml True
    """
    config, stands = _as_it_stands(course), list[str]()
    if not course.over and not course.can_be_cut:
        stands = [STANDS.format(step=course.step, steps=config.training.steps)]
    notes = [f"# after step {change.step:,}: {change.what}" for change in course.changes]
    head = [
        *([f"# Of the {whose} run."] if whose else []),
        *([BY_HAND, *notes] if notes else [SAME]),
        *stands,
    ]
    return "\n".join([*head, "", as_toml(config.model_dump(mode="json"))])


def page_of(course: Course, *, stop: Callable[[], bool] = lambda: False) -> str:
    """One HTML file that opens offline.

    Args:
        course: One that a config can say, as far as it has come, is trained once more, to the same bits, for
            the page of a run with its traces; else the ruler is laid on the tables as they stand.
        stop: Asked on the way.

    Raises:
        KeyboardInterrupt: When stopped.
    """
    said = course.over or course.can_be_cut
    if said and not course.by_hand and bool(course.state.alive.any()):
        return run_page(run(_as_it_stands(course), stop=stop, progress=_until(stop)))
    f, g = course.tables
    reading = measure(f.double(), g.double(), world=course.world, seed=course.config.seed, progress=False)
    shown = page(reading)
    facts = [*shown.facts, *_facts(course)]
    return assemble(replace(shown, kicker="A run of the live laboratory, as it stood", facts=facts))


def _as_it_stands(course: Course) -> Config:
    """The config of a run as far as it has come, where there is one; else of the whole of it."""
    config = course.config
    if course.over or not course.can_be_cut:
        return config
    cut = config.training.model_copy(update={"steps": course.step})
    return config.model_copy(update={"training": cut})


def _facts(course: Course) -> list[tuple[str, str]]:
    """Its world, and what no config can say of it."""
    model, training = course.world.model, course.config.training
    arrows = ", ".join(f"{model.names[parent]} → {model.names[child]}" for parent, child in model.edges())
    ended = "" if bool(course.state.alive.any()) else ", diverged"
    return [
        ("World", arrows or "independent concepts"),
        ("Contexts", f"{len(course.world.codes):,}"),
        ("Step", f"{course.step:,} of {training.steps:,}{ended}"),
        ("Optimiser", training.optimizer),
        *((f"After step {change.step:,}", change.what) for change in course.changes),
    ]


def _until(stop: Callable[[], bool]) -> Callable[[int, int, float], None]:
    """Without a folder nothing asks whether to stop but the progress shown."""

    def seen(done: int, of: int, excess: float) -> None:
        del done, of, excess
        if stop():
            raise KeyboardInterrupt

    return seen
