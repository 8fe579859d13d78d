"""The parts of Ollama's own wire (docs.ollama.com/api)."""
