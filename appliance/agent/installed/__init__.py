"""The system in an image: looking at it and writing into it, without ever trusting it."""
