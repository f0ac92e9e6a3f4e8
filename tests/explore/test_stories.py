"""Every sentence of every story is true of the numbers that the engine ends with."""

import pytest

from linrep.explore.course import Course
from linrep.explore.measures import CURVES, ahead, measured
from linrep.explore.setting import setting_of
from linrep.explore.stories import Story, all_stories

PRICE = 0.0033


def numbers(story: Story) -> dict[tuple[int, str], float | None]:
    found: dict[tuple[int, str], float | None] = {}
    for run, config in enumerate([story.config, *([story.second] if story.second else [])]):
        course = Course(setting_of(config))
        course.advance(10**9)
        found |= {(run, name): each.value for name, each in measured(course.look()).items()}
    return found


@pytest.mark.parametrize("story", all_stories(), ids=[each.name for each in all_stories()])
def test_each_sentence_is_true_at_the_end_and_not_of_everything(story: Story) -> None:
    end = numbers(story)
    for sentence in story.sentences:
        value = end[sentence.run, sentence.measure]
        assert sentence.holds(value), f"{sentence.text} (it is {value})"
        assert not sentence.holds(None)
        assert (sentence.at_least is None) != (sentence.at_most is None)


def test_the_first_look_makes_no_story_of_structure_true() -> None:
    """A negative control: of tables nobody has trained, the sentences that a cube is there do not hold."""
    for story in all_stories():
        course = Course(setting_of({**story.config, "model": {**story.config["model"], "start": "normal"}}))
        seen = measured(course.look())
        for sentence in story.sentences:
            if sentence.run == 0 and sentence.measure.startswith("linearity") and sentence.at_least:
                assert not sentence.holds(seen[sentence.measure].value), sentence.text


def test_the_price_that_is_told_is_the_price() -> None:
    (story,) = (each for each in all_stories() if each.name == "price")
    price = ahead(setting_of(story.config)).price
    assert price is not None
    assert round(price.nats, 4) == PRICE
    assert f"{PRICE}" in story.sentences[0].text


def test_there_are_ten_each_under_its_own_name_of_numbers_on_screen() -> None:
    stories = all_stories()
    assert len({each.name for each in stories}) == len(stories) == 10
    shown = {curve.name for curve in CURVES}
    for story in stories:
        assert {each.measure for each in story.sentences} <= shown
        assert all(each.text.rstrip().endswith(".") for each in story.sentences)
        assert all(each.run == 0 or story.second for each in story.sentences)
