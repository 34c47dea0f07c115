"""`python -m linstudy`."""

from linstudy.cli import main

if __name__ == "__main__":
    main()
