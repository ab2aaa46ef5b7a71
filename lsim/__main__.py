"""`python -m lsim` is `lsim`."""

from lsim.cli import main

if __name__ == "__main__":
    main()
