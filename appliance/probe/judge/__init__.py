"""What observations mean: each function takes values and returns findings."""
