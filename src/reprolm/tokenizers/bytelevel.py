"""Bytes as printable characters, as GPT-2 wrote them down, and the order that this gives them."""


def byte_characters() -> dict[str, int]:
    """The printable character that stands for each byte in a byte-level vocabulary, in the order of ids."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + i): byte for i, byte in enumerate(hidden)}


BYTES = bytes(byte_characters().values())
"""The bytes in the order of their ids: printable ones first."""
