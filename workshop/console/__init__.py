"""The live page: what the deployed pipeline does, read through public AWS APIs and shown on 127.0.0.1."""
