"""A board as people want it: on a terminal, as a page, in a paper, as a table for a program."""
