"""One file per verb: parse, load, work, write."""
