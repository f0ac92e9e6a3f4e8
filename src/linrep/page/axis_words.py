"""How figures and sentences name the axes of a sweep and their points."""

WORDS = {
    "world.concepts": ("concepts m", "{} concepts"),
    "model.dim": ("width k", "width {}"),
    "model.init_scale": ("start scale", "start {}"),
    "training.steps": ("training steps", "{} steps"),
    "training.step_size": ("step size", "step size {}"),
    "training.batch_size": ("batch size", "batch {}"),
    "training.samples": ("training pairs N", "{} pairs"),
    "training.optimizer": ("optimizer", "{}"),
}
"""By key of the config: its title beside an axis, and one point of it. Other keys keep their names."""


def title(axis: str) -> str:
    """What stands beside an axis.

    Example:
        >>> title("model.dim"), title("training.momentum")
        ('width k', 'training.momentum')
    """
    return WORDS[axis][0] if axis in WORDS else axis


def point(axis: str, label: str) -> str:
    """One point of an axis.

    Example:
        >>> point("world.concepts", "3"), point("seed", "0")
        ('3 concepts', 'seed 0')
    """
    return WORDS[axis][1].format(label) if axis in WORDS else f"{axis} {label}"
