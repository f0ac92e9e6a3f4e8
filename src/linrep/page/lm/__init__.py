"""The pages of measured language models."""
