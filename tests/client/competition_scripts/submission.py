"""Check `Method description.md` as the platform does when a submission arrives.

Of the project's own writing; stands where the client looks for the competition's check.
"""

import re

FILE_NAME = "Method description.md"
LARGEST_FILE = 4 * 1024**2
FEWEST_SENTENCES = 15
TITLES = ("Method Description", "Rationale", "Data and Resources Used")


class ParticipantVisibleError(Exception):
    """The client knows this exception by its name and prints the message."""


def check(submission_files, model_files):
    """Raise ParticipantVisibleError for the first rule that the description breaks."""
    named_so = [file for file in submission_files if file.path.casefold() == FILE_NAME.casefold()]
    _demand(named_so, "it is missing")
    _demand(named_so[0].size <= LARGEST_FILE, "it is over 4 MiB")

    # None if the extension is not `.md` in lower case: the client does not read it then.
    text = named_so[0].text
    assert text is not None, f"{FILE_NAME} cannot be read"
    text = text.replace("\r", "")
    _demand(text.isascii(), "it holds a character that is not ASCII")

    text = re.sub("<!--.+?-->", "", text)
    for title in TITLES:
        headings = re.findall(f"^#+ *{title}$", text, re.IGNORECASE | re.MULTILINE)
        _demand(len(headings) == 1, f"{len(headings)} headings `{title}`, expected 1")

    n_sentences = sum(bool(piece.strip()) for piece in re.split(r"[.!?;:\n]", text))
    _demand(n_sentences >= FEWEST_SENTENCES, f"{n_sentences} sentences, expected 15 or more")


def _demand(condition, message):
    if not condition:
        raise ParticipantVisibleError(f"`{FILE_NAME}`: {message}")
