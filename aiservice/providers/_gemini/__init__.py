"""The parts of the Gemini provider: what is asked, what is read, what differs between models."""
