"""Pure tensor functions; they see no config and hold no state."""
