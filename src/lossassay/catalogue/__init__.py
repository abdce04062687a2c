"""Plain data about everything that has a name: losses, models, yardsticks. Needs neither torch nor numpy."""
