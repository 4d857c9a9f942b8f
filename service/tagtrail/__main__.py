"""`python -m tagtrail` is the command `tagtrail`."""

from tagtrail.cli import main

if __name__ == "__main__":
    main(prog_name="tagtrail")
