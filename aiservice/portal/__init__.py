"""The developer portal: Reflex pages over the same services as the gateway."""
