"""The one exception whose message is a sentence for the user."""


class InputError(ValueError):
    """Something the user gave is wrong; the message says which file, what was found, what to do."""


def reason(error: BaseException) -> str:
    """Return what another library's exception says, short and on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."
