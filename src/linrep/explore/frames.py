r"""The wire: one look as bytes, a line of JSON and after it the points in whole thousandths.

.. code-block:: text

    uint32  length of the JSON, little-endian, padded with spaces to a multiple of four
    JSON    {"run", "step", "scale", "sizes": [corners, arrows, contexts], "shown", "angles", "measures"}
    int16   x, y, z of every corner, arrow and context: thousandths of scale, which is the
            largest distance from the centre; of arrows, of 1
"""

import json
import struct
from dataclasses import dataclass

import numpy as np

from linrep.explore.measures import Measured
from linrep.explore.view import Picture, Points

WHOLE = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One look at one run."""

    run: int
    """0, or 1 for the one beside it."""
    step: int
    picture: Picture
    measures: dict[str, Measured]


def packed(frame: Frame) -> bytes:
    """A frame as bytes.

    Args:
        frame: Of whatever run.

    Returns:
        What :func:`unpacked`, and explore.js, read.
    """
    picture = frame.picture
    # The farthest point from the centre, so that nothing leaves the picture however it is turned.
    both = np.concatenate([picture.corners, picture.contexts]).astype(np.float64)
    scale = float(np.linalg.norm(both, axis=1).max(initial=1e-9))
    parts = [picture.corners / scale, picture.arrows, picture.contexts / scale]
    head = json.dumps(
        {
            "run": frame.run,
            "step": frame.step,
            "scale": scale,
            "sizes": [len(part) for part in parts],
            "shown": picture.shown,
            "angles": picture.angles,
            "measures": {name: [each.value, each.null] for name, each in frame.measures.items()},
        },
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
    head += b" " * (-len(head) % 4)
    points = np.concatenate([(part * WHOLE).round() for part in parts]).astype("<i2")
    return struct.pack("<I", len(head)) + head + points.tobytes()


def unpacked(content: bytes) -> Frame:
    """A frame read back: points to a thousandth of its size, all else as it was.

    Args:
        content: By :func:`packed`.
    """
    (length,) = struct.unpack_from("<I", content)
    head = json.loads(content[4 : 4 + length])
    whole = np.frombuffer(content, "<i2", offset=4 + length).reshape(-1, 3).astype(np.float32) / WHOLE
    first, second, _ = head["sizes"]
    corners, arrows, contexts = np.split(whole, [first, first + second])

    def sized(points: Points) -> Points:
        return points * np.float32(head["scale"])

    return Frame(
        run=head["run"],
        step=head["step"],
        picture=Picture(
            corners=sized(corners),
            arrows=arrows,
            contexts=sized(contexts),
            shown=head["shown"],
            angles=tuple(head["angles"]),
        ),
        measures={name: Measured(value=value, null=null) for name, (value, null) in head["measures"].items()},
    )
