"""Colours that colour-blind readers can tell apart, light and dark, named once for page and paper."""

from typing import Literal

CONCEPTS = (
    ("#0072b2", "#56b4f2"),
    ("#d55e00", "#ff8c42"),
    ("#00876a", "#35cfa3"),
    ("#b5478c", "#ee93c6"),
    ("#b07d00", "#f5c242"),
    ("#5b4fc4", "#a79cff"),
    ("#6f6f6f", "#b9bec4"),
    ("#882255", "#e0708f"),
    ("#5f7300", "#c3d64a"),
    ("#0f8fa8", "#6fe0ef"),
)
"""(light, dark) for each concept; after the last the colours begin again, told apart by dash and label."""

ROLES = {
    "ink": ("#15191f", "#e8eaed"),
    "muted": ("#59616c", "#a3abb5"),
    "line": ("#d7dce2", "#363d47"),
    "grid": ("#e9ecf0", "#2a3038"),
    "surface": ("#ffffff", "#171b21"),
    "ground": ("#f6f7f9", "#0f1216"),
    "accent": ("#0b5cad", "#7cb8ff"),
    "unembedding": ("#0072b2", "#56b4f2"),
    "embedding": ("#c14f00", "#ff8c42"),
    "both": ("#15191f", "#e8eaed"),
    "null": ("#59616c", "#a3abb5"),
    "predicted": ("#9c2f80", "#f08fd0"),
    "bar": ("#7f9cba", "#6f8fb3"),
    "good": ("#00664f", "#45d6ab"),
    "fair": ("#855c00", "#f0c04a"),
    "poor": ("#a8321a", "#ff8f78"),
    "heat-0": ("#f4f6f8", "#1d232b"),
    "heat-1": ("#9fc3e0", "#235a86"),
    "heat-2": ("#08407a", "#9bd4ff"),
    "on-bb": ("#000000", "#000000"),
    "on-bw": ("#000000", "#ffffff"),
    "on-wb": ("#ffffff", "#000000"),
    "on-ww": ("#ffffff", "#ffffff"),
}
"""(light, dark) for each role. Text roles have a contrast of at least 4.5 on surface and ground.

Wherever answers are coloured, good is yes and holds, poor no and fails, fair undecided, muted a note; the
word stands beside.
"""

Dash = Literal["solid", "dash", "dot", "dashdot"]
DASHES: tuple[Dash, ...] = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "diamond", "cross", "x")


def concept(index: int) -> str:
    """The page's name of a concept's colour, resolved in the browser for the theme in use."""
    return f"--concept-{index % len(CONCEPTS)}"


def dash(index: int) -> Dash:
    """The line style of a concept: a new one each time the colours begin again."""
    return DASHES[(index // len(CONCEPTS)) % len(DASHES)]


def paper(name: str) -> str:
    """The light form of a page colour name such as ``--concept-3`` or ``--null``, for figures on paper."""
    key = name.removeprefix("--")
    if key.startswith("concept-"):
        return CONCEPTS[int(key.removeprefix("concept-"))][0]
    return ROLES[key][0]


def on(first: str, second: str, share: float) -> str:
    """The text colour that reads best, light and dark, on a mixture of two colours: always 4.5 or more.

    Args:
        first: A role such as ``--heat-1``.
        second: Another.
        share: Of the second in the mixture.

    Example:
        >>> on("--heat-0", "--heat-1", 0.0), on("--heat-1", "--heat-2", 1.0)
        ('--on-bw', '--on-wb')
    """
    pairs = zip(*(ROLES[name.removeprefix("--")] for name in (first, second)), strict=True)
    return "--on-" + "".join(_black_or_white(one, other, share) for one, other in pairs)


def _black_or_white(first: str, second: str, share: float) -> str:
    mixed = [a + share * (b - a) for a, b in zip(_parts(first), _parts(second), strict=True)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in mixed]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "b" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "w"


def _parts(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def custom_properties() -> str:
    """The colours as CSS custom properties."""
    named = {f"concept-{i}": pair for i, pair in enumerate(CONCEPTS)} | ROLES
    return "".join(f"--{name}:light-dark({light},{dark});" for name, (light, dark) in named.items())
