"""Sources of captioned pictures: the shape they come in and the loaders for it."""
