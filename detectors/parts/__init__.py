"""One folder a role; in it, one file a kind. `detectors.config` says how they are found."""
