"""Back from MLflow: records, whole experiments at once, files of a run."""
