from .course import Course as Course
from .serving import laboratory as laboratory
from .setting import Setting as Setting
from .setting import setting_of as setting_of
from .stories import Story as Story
from .stories import all_stories as all_stories

__all__: list[str]
