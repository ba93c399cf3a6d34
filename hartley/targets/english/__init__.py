"""English: what a policy that was not trained here is told, in sentences: requests, documents, tools; and how its calls are read."""
