"""What users wish, what machines say, and the loop that brings the two together."""
