"""A run with a wide start that says when it is in the middle of it, and waits there to be killed."""

import json
import sys
import time

import linrep
from linrep.training.monotone import Monotone


def main(config: str, out: str) -> None:
    step, steps = Monotone.step, [0]

    def told(self: Monotone) -> None:
        steps[0] += 1
        if steps[0] == 150:
            sys.stdout.write("half way\n")
            sys.stdout.flush()
            time.sleep(60)
        step(self)

    Monotone.step = told
    linrep.run(json.loads(config), out=out, progress=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
