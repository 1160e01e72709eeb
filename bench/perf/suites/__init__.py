"""A suite is a file here: its `cases(device)` are what the harness measures; `comparisons(options)` measures itself."""
