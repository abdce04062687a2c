"""Images on disk → one manifest, one memory-mapped array, one split per replicate. Never imports torch."""
