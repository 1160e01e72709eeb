"""Studies as files, and as typed objects."""
