"""Classical stream sketches: small summaries that estimate one statistic of a long stream."""
