"""Speed and memory beside named peers. A suite is a file here with `cases(device)`, which yields `harness.Case`s."""
