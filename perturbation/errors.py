"""The one exception whose message is a sentence for the user."""


class InputError(ValueError):
    """Something the user gave is wrong; the message says which file, what was found, what to do."""
