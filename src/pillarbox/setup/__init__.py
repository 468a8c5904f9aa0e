"""From an address and a secret to a configuration that has been proved by a login."""
