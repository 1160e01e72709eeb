"""The only place that talks to MLflow: what ran, with what, how it ended, and what it measured."""
