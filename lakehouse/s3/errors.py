# SPDX-License-Identifier: Apache-2.0
"""Errors as S3 tells them: one table from the program's kinds to code and status, with the exceptions to it.

`S3Error` is for what only the S3 protocol knows (signatures, chunked bodies, XML); everything else comes from
`lakehouse.core.errors` and is mapped here and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lakehouse.core import errors
from lakehouse.s3.xml import document, element

if TYPE_CHECKING:
    from lakehouse.core.errors import LakehouseError

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

STATUS = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BadRequest": 400,
    "BucketAlreadyExists": 409,
    "BucketNotEmpty": 409,
    "ERRLakeFSNotSupported": 405,
    "ERRLakeFSWrongEndpoint": 404,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "ErrNoSuchBucketPossibleAPIEndpoint": 404,
    "ExpiredToken": 400,
    "ErrReadOnlyRepository": 403,
    "ErrWriteToProtectedBranch": 403,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidPolicyDocument": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidURI": 400,
    "InvalidTag": 400,
    "InvalidToken": 400,
    "KeyTooLongError": 400,
    "MalformedPOSTRequest": 400,
    "MalformedXML": 400,
    "MaxMessageLengthExceeded": 400,
    "MaxPostPreDataLengthExceeded": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingFields": 400,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "OperationAborted": 409,
    "PreconditionFailed": 412,
    "RequestNotReadyYet": 403,
    "RequestTimeTooSkewed": 403,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "XAmzContentSHA256Mismatch": 400,
}
"""Every code that this side answers, and its HTTP status."""


class S3Error(Exception):
    """A refusal of the S3 protocol: a code of STATUS, and a message that says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS[code]


class ClientGone(Exception):
    """The client closed the connection before its body had ended: nobody is there to answer."""


BY_KIND: dict[type[LakehouseError], str] = {
    errors.InvalidArgument: "InvalidArgument",
    errors.Unauthenticated: "AccessDenied",
    errors.PermissionDenied: "AccessDenied",
    errors.NotFound: "NoSuchKey",
    errors.AlreadyExists: "BucketAlreadyExists",
    errors.Conflict: "OperationAborted",
    errors.Gone: "NoSuchKey",
    errors.FailedPrecondition: "PreconditionFailed",
    errors.RangeNotSatisfiable: "InvalidRange",
    errors.Exhausted: "SlowDown",
    errors.Unsupported: "NotImplemented",
    errors.Unavailable: "ServiceUnavailable",
}

BY_CLASS: dict[type[LakehouseError], str] = {
    errors.SessionExpired: "ExpiredToken",
    errors.SessionInvalid: "InvalidToken",
    errors.BucketNotFound: "NoSuchBucket",
    errors.BranchNotFound: "NoSuchBucket",
    errors.RepositoryInDeletion: "NoSuchBucket",
    errors.RepositoryNotFound: "NoSuchBucket",
    errors.DataMissing: "NoSuchVersion",
    errors.ProtectedBranch: "ErrWriteToProtectedBranch",
    errors.ReadOnlyRepository: "ErrReadOnlyRepository",
    errors.ChecksumMismatch: "BadDigest",
    errors.IncompleteBody: "IncompleteBody",
    errors.InvalidAddress: "InvalidURI",
    errors.BodyTooLarge: "EntityTooLarge",
    errors.UploadNotFound: "NoSuchUpload",
    errors.InvalidPart: "InvalidPart",
    errors.InvalidPartOrder: "InvalidPartOrder",
    errors.PartTooSmall: "EntityTooSmall",
}
"""Exceptions to the kinds."""


def code_of(error: LakehouseError) -> str:
    """The S3 code of one of the program's errors: its class's own, or that of the nearest base."""
    for base in type(error).__mro__:
        code = BY_CLASS.get(base) or BY_KIND.get(base)
        if code is not None:
            return code
    return "InternalError"


def error_document(
    *, code: str, message: str, resource: str, request_id: str, bucket: str = "", key: str = "", region: str = ""
) -> bytes:
    """The XML body of an error. Characters that no parser takes are replaced: the error is to be read."""
    return document(
        "Error",
        element("Code", code),
        element("Message", _ILLEGAL.sub("\ufffd", message)),
        element("Key", _ILLEGAL.sub("\ufffd", key)),
        element("BucketName", _ILLEGAL.sub("\ufffd", bucket)),
        element("Resource", resource),
        element("Region", region),
        element("RequestId", request_id),
        element("HostId", request_id),
    )
