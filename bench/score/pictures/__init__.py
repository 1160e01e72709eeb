"""Pictures of an evaluation, as PNG files beside the numbers they show."""
