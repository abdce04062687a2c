"""Where a network looks, and what such maps are worth."""
