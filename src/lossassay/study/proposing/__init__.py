"""Looks at data and proposes a study, losses, a plan in words."""
