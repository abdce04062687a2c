"""``python -m lossassay``."""

from lossassay.cli import main

if __name__ == "__main__":
    main()
