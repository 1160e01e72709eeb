"""Where MLflow is, how it is reached, and the server and pages that show it."""
