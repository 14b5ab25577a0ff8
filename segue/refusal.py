"""The one way a command says no: a sentence that names the remedy, never a traceback."""


class Refusal(Exception):
    """What is wrong and what to do about it, in one sentence for the operator."""
