"""What is said of every mail that a caller wrote and of the program that took it."""

__all__ = ["added_fields", "assert_silent", "crlf"]


def crlf(text):
    """Return text with the line ends of the wire."""
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def added_fields(mail, written):
    """
    Return the names of the fields that were added before what the caller wrote.

    Whatever else differs from the octets that were written fails.
    """
    octets = crlf(written)
    assert mail.content.endswith(octets)
    ours = mail.content[: -len(octets)].decode().splitlines()
    return [line.partition(":")[0] for line in ours]


def assert_silent(result):
    """Check that a call succeeded, and that nobody had anything to say."""
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
