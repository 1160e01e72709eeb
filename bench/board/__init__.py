"""The leaderboard: measured beside published, with intervals, on a terminal, in a paper, on one page."""
