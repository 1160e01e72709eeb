"""What is in a store, for people: pictures, statistics, faults."""
