"""How to get the same again, and whom to cite."""

import linrep
from linrep.page.shell import Block
from linrep.page.view import View
from linrep.runs.toml import as_toml

PAPER = """@inproceedings{jiang2024origins,
  title     = {On the Origins of Linear Representations in Large Language Models},
  author    = {Jiang, Yibo and Rajendran, Goutham and Ravikumar, Pradeep and Aragam, Bryon
               and Veitch, Victor},
  booktitle = {Proceedings of the 41st International Conference on Machine Learning},
  year      = {2024},
  note      = {arXiv:2403.03867}
}
"""


def software() -> str:
    """BibTeX of linrep itself."""
    return f"""@software{{linrep,
  title   = {{linrep: why, when and how concepts become linear directions in language models}},
  version = {{{linrep.__version__}}}
}}
"""


def blocks(view: View) -> list[Block]:
    """Config, command and citation."""
    config = as_toml(view.config)
    cite = PAPER + "\n" + software()
    return [
        Block(
            id="config",
            kind="code",
            title="Config, every default filled in",
            text=config,
            download=("config.toml", config),
        ),
        Block(
            id="cite",
            kind="code",
            title="How to cite",
            text=cite,
            caption="The paper whose latent model, claims and experiments this is, and the software.",
            download=("linrep.bib", cite),
        ),
        Block(
            id="reproduce",
            kind="code",
            title="The same again",
            text="linrep run config.toml",
            caption=f"Run {view.summary.run}. Equal configs give bit-equal results on CPU at an "
            "equal number of threads.",
            size="wide",
        ),
    ]
