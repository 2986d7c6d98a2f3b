"""Non-local (self-attention) blocks and their attention maps."""
