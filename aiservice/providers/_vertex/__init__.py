"""The parts of the Vertex AI provider: its keys, Claude there, embeddings there."""
