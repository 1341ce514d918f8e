"""What is written is a version: number 1 where there is nothing, each other on the condition of the one before."""


class Conflict(Exception):
    """The stored version is not the one before; read again and decide anew."""
