"""Parts of the decomposition: BROJA with its certificate, cells of embeddings, limits and shuffled nulls."""
