"""Hides secrets in what a provider answers: some repeat the key, or the headers they received, in an error."""

from collections.abc import Iterable, Mapping

from code_core.safety.credentials import is_secret_name

HIDDEN = b"[hidden]"
_SHORTEST = 8  # shorter values occur by accident
_SCHEMES = (b"Bearer ", b"Basic ", b"Token ")


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
        secrets = ([key] if key is not None else []) + values
        for scheme in _SCHEMES:
            secrets += [one.removeprefix(scheme) for one in secrets if one.startswith(scheme)]
        self._secrets = sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True)

    def hidden_in(self, text: str) -> str:
        """Return `text` without the secrets, which themselves never become text."""
        data = text.encode("utf-8", "surrogatepass")
        for secret in self._secrets:
            data = data.replace(secret, HIDDEN)
        return data.decode("utf-8", "surrogatepass")

    def hide_in(self, error: Exception) -> None:
        """Remove the secrets from the message of `error`."""
        error.args = tuple(self.hidden_in(part) if isinstance(part, str) else part for part in error.args)
