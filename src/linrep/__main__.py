"""``python -m linrep`` is ``linrep``."""

from linrep.cli import main

if __name__ == "__main__":
    main()
