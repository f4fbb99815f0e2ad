"""From a secret phrase to random numbers: slow to guess, and independent for every purpose."""

from __future__ import annotations

import hashlib
import unicodedata
from functools import lru_cache

import numpy as np

from cmslabs.errors import ConfigError

__all__ = ["SAFE_LENGTH", "is_guessable", "secret_key", "stream", "stream_seed"]

#: Shorter secrets can be guessed against a public commitment.
SAFE_LENGTH = 12
#: One guess costs about 40 ms and 16 MB.
SCRYPT = {"salt": b"cmslabs sealed box 1", "n": 2**14, "r": 8, "p": 1, "dklen": 32}


def secret_key(secret: str) -> bytes:
    """32 bytes from a secret, made slow on purpose (scrypt, RFC 7914), so that guessing is expensive.

    Equal text in another Unicode form, or with spaces around it, is the same secret.

    Raises
    ------
    ConfigError
        If the secret is empty.
    """
    text = unicodedata.normalize("NFC", secret).strip()
    if not text:
        raise ConfigError("the secret is empty.", where="seed", remedy="Choose a phrase of at least 12 characters.")
    return _scrypt(text)


@lru_cache(maxsize=64)
def _scrypt(text: str) -> bytes:
    return hashlib.scrypt(text.encode(), **SCRYPT)


def is_guessable(secret: str) -> bool:
    """Whether the secret is so short that a program finds it by trying, with the public commitment as the judge.

    Examples
    --------
    >>> is_guessable("1234"), is_guessable("three red herrings")
    (True, False)
    """
    return len(unicodedata.normalize("NFC", secret).strip()) < SAFE_LENGTH


def stream_seed(key: bytes, purpose: str) -> int:
    """A seed of 63 bits for one purpose.  Seeds of two purposes have nothing to do with each other."""
    return int.from_bytes(hashlib.sha256(key + purpose.encode()).digest()[:8], "big") >> 1


def stream(key: bytes, purpose: str) -> np.random.Generator:
    """Random numbers for one purpose, from all bits of the key."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key + purpose.encode()).digest(), "big"))
