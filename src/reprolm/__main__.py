"""`python -m reprolm` is the `reprolm` command."""

from reprolm.cli import main

if __name__ == "__main__":
    main()
