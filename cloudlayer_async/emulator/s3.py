"""Delivery to the user's own S3-compatible bucket. The only module that speaks S3; needs the `s3` extra."""

from __future__ import annotations

from importlib import import_module

from .records import UserStorage

_URL_LIFETIME = 7 * 24 * 3600


class StorageError(Exception):
    """A bucket did not take a product; the message holds no credentials."""


async def put_object(storage: UserStorage, key: str, content: bytes, *, content_type: str, disposition: str) -> str:
    """Put an object into the user's bucket.

    Returns:
        A presigned URL, good for seven days.

    Raises:
        StorageError: The bucket refused it or could not be reached, or the `s3` extra is not installed.
    """
    try:
        # By name: whether these packages have types depends on what else is installed.
        session = import_module("aiobotocore.session").get_session()
        config_type = import_module("botocore.config").Config
        failures = import_module("botocore.exceptions")
    except ImportError as error:
        raise StorageError("User storage needs the s3 extra: pip install 'cloudlayer-async[s3]'") from error
    # Services other than AWS rarely have a DNS name for each bucket.
    style = "path" if storage.endpoint else "auto"
    config = config_type(
        s3={"addressing_style": style}, connect_timeout=10, read_timeout=30, retries={"max_attempts": 1}
    )
    try:
        async with session.create_client(
            "s3",
            region_name=storage.region,
            endpoint_url=storage.endpoint,
            aws_access_key_id=storage.access_key_id,
            aws_secret_access_key=storage.secret_access_key,
            config=config,
        ) as client:
            await client.put_object(
                Bucket=storage.bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                ContentDisposition=disposition,
            )
            url = await client.generate_presigned_url(
                "get_object", Params={"Bucket": storage.bucket, "Key": key}, ExpiresIn=_URL_LIFETIME
            )
    except failures.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise StorageError(f"The storage refused the product: {code}") from error
    except (failures.BotoCoreError, ValueError) as error:
        raise StorageError(f"The storage could not be used: {type(error).__name__}") from error
    return str(url)
