"""Feature files -> scores, predictions, submission. `python run_fusion.py --help` tells the options."""

from mertools.commands.command_line import run
from mertools.commands.fuse import main

if __name__ == "__main__":
    run(main)
