"""Where the workers of a training run, and Ray, which starts them and replaces those that are lost."""
