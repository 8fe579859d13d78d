"""The parts of Cohere's v2 wire (docs.cohere.com/reference)."""
