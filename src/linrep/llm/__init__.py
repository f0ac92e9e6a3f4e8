"""The same ruler on language models. Importing this loads neither transformers nor pandas."""
