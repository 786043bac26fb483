"""What an image itself says about how it boots (pure parsers)."""
