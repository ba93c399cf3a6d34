"""The threats: recipes by flow, and the engine they are composed from."""
