"""Speed and memory beside named peers. A suite is a file here: `cases(device)` yields what the harness measures,
`comparisons(options)` measures by itself."""
