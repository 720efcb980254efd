"""What Tests/Fixtures/generate.py is made of."""
