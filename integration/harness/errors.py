"""The one exception that commands turn into a message and an exit code."""


class HarnessError(Exception):
    """Something that the user can understand and mend; its text is one or more full sentences."""
