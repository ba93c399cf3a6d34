"""Parts of the measures of embeddings: checked rows, moments, the Gram matrix of the means, classifiers, tests of the model."""
