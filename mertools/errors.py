"""The one exception that means: the user's input is at fault, and the message says what to do about it."""


class InputError(Exception):
    """Something the user gave cannot be used.

    The message names what was got, what was wanted and the next step; commands print it alone, without a traceback,
    and exit with status 2. Every other exception is a fault of ours and keeps its traceback.
    """
