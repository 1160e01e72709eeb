"""What a training starts from, and what it leaves."""
