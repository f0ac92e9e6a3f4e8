"""When do directions emerge? The ruler at every checkpoint of a model, and what follows from all of them.

Importing this loads neither transformers nor pandas.
"""
