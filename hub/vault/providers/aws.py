"""Root keys in AWS Key Management Service (or what speaks its protocol).

Each root is a symmetric KMS key. The context goes along as the encryption context. The handle is the key's ARN.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hub.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = ["AwsProvider"]

_DAYS_TO_DELETE = 7  # the shortest that AWS allows
_NOT_OPEN = "A wrapped key does not open: it was changed, or belongs elsewhere."
_SPOILT = {"InvalidCiphertextException", "IncorrectKeyException"}
_GONE = {"NotFoundException", "KMSInvalidStateException", "DisabledException"}


class AwsProvider:
    """A client of KMS in one region; credentials are found the way every AWS tool finds them."""

    name = "aws"

    def __init__(self, region: str = "", endpoint: str = "") -> None:
        import boto3
        import botocore.exceptions
        from botocore.config import Config

        self._errors = botocore.exceptions
        try:
            self._client: Any = boto3.client(
                "kms",
                region_name=region or None,
                endpoint_url=endpoint or None,
                config=Config(
                    connect_timeout=3, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3}
                ),
            )
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise Unavailable(f"AWS KMS cannot be reached ({error}); look at aws_region.") from None

    @classmethod
    def of(cls, settings: Settings) -> AwsProvider:
        """From the hub's settings."""
        return cls(settings.aws_region, settings.aws_kms_endpoint)

    def create_root(self) -> str:
        """A new key; returns its ARN."""
        answer = self._call(
            "make a root key",
            lambda: self._client.create_key(
                Description="JoinedUp Hub root key", KeyUsage="ENCRYPT_DECRYPT", KeySpec="SYMMETRIC_DEFAULT"
            ),
        )
        return str(answer["KeyMetadata"]["Arn"])

    def wrap(self, handle: str, plain: bytes, context: bytes) -> bytes:
        """KMS's own ciphertext."""
        answer = self._call(
            "wrap a key",
            lambda: self._client.encrypt(KeyId=handle, Plaintext=plain, EncryptionContext=_context(context)),
        )
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, handle: str, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` wrapped; raises Invalid."""
        answer = self._call(
            "unwrap a key",
            lambda: self._client.decrypt(
                KeyId=handle, CiphertextBlob=wrapped, EncryptionContext=_context(context)
            ),
        )
        return bytes(answer["Plaintext"])

    def rewrap(self, old: str, new: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """With ReEncrypt: the keys never leave AWS on their way."""

        def change(wrapped: bytes, context: bytes) -> bytes:
            answer = self._call(
                "wrap a key anew",
                lambda: self._client.re_encrypt(
                    CiphertextBlob=wrapped, SourceKeyId=old, SourceEncryptionContext=_context(context),
                    DestinationKeyId=new, DestinationEncryptionContext=_context(context),
                ),
            )  # fmt: skip
            return bytes(answer["CiphertextBlob"])

        return [change(wrapped, context) for wrapped, context in items]

    def destroy_root(self, handle: str) -> str:
        """Schedule the key's deletion: from then on KMS refuses to use it."""
        try:
            self._call(
                "destroy a root key",
                lambda: self._client.schedule_key_deletion(
                    KeyId=handle.rpartition("/")[2], PendingWindowInDays=_DAYS_TO_DELETE
                ),
            )
        except _Gone:
            return "AWS had it deleted already, or waits to."
        return (
            f"AWS refuses its use from now on and deletes it in {_DAYS_TO_DELETE} days; until then an administrator of "
            "the AWS account could cancel that."
        )

    def ping(self, handle: str) -> str:
        """Wrap something and open it again."""
        if self.unwrap(handle, self.wrap(handle, b"ping", b"ping"), b"ping") != b"ping":
            raise Unavailable("AWS KMS gives wrong answers.")
        return f"region {self._client.meta.region_name}"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, what: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except self._errors.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _SPOILT:
                raise Invalid(_NOT_OPEN) from None
            if code in _GONE:
                raise _Gone(
                    f"AWS KMS cannot {what}: the root key is deleted or disabled ({code}). An administrator of the AWS "
                    "account may be able to enable it."
                ) from None
            raise Unavailable(
                f"AWS KMS refuses to {what} ({code}): look at the hub's credentials and at the key's policy."
            ) from None
        except self._errors.BotoCoreError as error:
            raise Unavailable(
                f"AWS KMS does not answer ({type(error).__name__}): look at aws_region and the network. Nothing is "
                "lost; try again."
            ) from None


class _Gone(Unavailable):
    """The root key is not there or not to be used."""


def _context(context: bytes) -> dict[str, str]:
    """The context in KMS's form; it may hold any bytes, so it goes as base64."""
    return {"joinedup-hub": base64.b64encode(context).decode()}
