"""Hides secrets in what a provider answers: some repeat the key, or the headers they received, in an error."""

import os
from collections.abc import Iterable, Mapping

from code_core.safety.credentials import is_secret_name

HIDDEN = "[hidden]"
_SHORTEST = 8  # shorter values occur by accident
_SCHEMES = ("Bearer ", "Basic ", "Token ")


class EchoedSecrets:
    """Knows the secrets of one provider's requests.

    Args:
        key: the API key.
        headers: the configured headers; those with the name of a credential are secret.
        names: names of further headers that are secret, because their values come from the environment.
    """

    def __init__(self, key: bytes | None, headers: Mapping[bytes, bytes], names: Iterable[str]) -> None:
        secret = {name.lower().encode("ascii") for name in names}
        values = [
            value for name, value in headers.items() if name in secret or is_secret_name(name.decode("ascii"))
        ]
        texts = [os.fsdecode(value) for value in ([key] if key is not None else []) + values]
        for scheme in _SCHEMES:
            texts += [text.removeprefix(scheme) for text in texts if text.startswith(scheme)]
        self._texts = sorted({text for text in texts if len(text) >= _SHORTEST}, key=len, reverse=True)

    def hidden_in(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self._texts:
            text = text.replace(secret, HIDDEN)
        return text

    def hide_in(self, error: Exception) -> None:
        """Remove the secrets from the message of `error`."""
        error.args = tuple(self.hidden_in(part) if isinstance(part, str) else part for part in error.args)
