"""SunSpec: models compiled to decoders, and the walk that finds them. Knows no product and no command."""
