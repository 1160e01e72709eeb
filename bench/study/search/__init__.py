"""What a study tries on one of its rows besides the settings that it names, and who proposes it."""
