"""A study from its file to its leaderboard: `run` is the entry, `dry_run` says what it would do.

`definition` reads study files, `search` proposes rows, `steps` are the work and where its results are kept, `running`
does on Ray what is missing, `telling` keeps the record and shows it.
"""
