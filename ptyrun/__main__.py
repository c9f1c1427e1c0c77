"""``python -m ptyrun`` is the command ``ptyrun``."""

from ptyrun.cli.main import main

if __name__ == "__main__":
    main()
