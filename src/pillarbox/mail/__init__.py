"""The nouns that every room shares: addresses, messages, envelopes, replies, statuses."""
