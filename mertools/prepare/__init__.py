"""Makes corpora: clips with a manifest."""
