"""Classical sketches of streams: small summaries that answer one kind of question about very many items."""
