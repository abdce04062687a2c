"""What a trained network is worth beyond its own labels: its features as biomarkers, its maps, and its ways out."""
