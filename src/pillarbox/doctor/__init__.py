"""Why mail does not arrive: a row of checks that ends the blame at the first root cause."""
