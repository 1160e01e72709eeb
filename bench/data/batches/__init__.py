"""A store into batches: which rows, as samples, augmented, decoded, padded."""
