"""Clips -> feature files. `python extract.py --help` tells the options."""

from mertools.commands.command_line import run
from mertools.commands.extract import main

if __name__ == "__main__":
    run(main)
