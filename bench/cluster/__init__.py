"""Jobs on a Ray cluster: what goes along with one, what never does, and how it is started, followed and stopped."""
