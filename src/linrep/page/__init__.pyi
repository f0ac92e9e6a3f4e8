from .rendering import figures as figures
from .rendering import render as render
from .rendering import save_figures as save_figures

__all__: list[str]
