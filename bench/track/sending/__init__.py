"""On the way to MLflow: written to disk first, delivered in order, written once however often it is sent."""
