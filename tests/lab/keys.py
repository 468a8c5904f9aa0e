"""Public keys for DKIM records (base64 of DER), made once with openssl; nobody signs with them."""

__all__ = ["RSA_512", "RSA_1024", "RSA_2048"]

RSA_512 = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANpxbs55bAbGJYGmuGZahyTa/qVZPynGGhPY9RPEY1iY1/so3b/pQKlb"
    "Z46nem2ttRek26FdpwY6iemVTCJ6rVMCAwEAAQ=="
)
RSA_1024 = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQChpiMLRubh83e9uY9GXgLsJcda4cxBnPBwMEmsQaAmjUwlYXgD"
    "mAiXUiiaPMR8YaFzQRHPyXg9l+GVYtv8MhO4BCveBm/vsYzJUD1FQK2Qgwn9NvRrOmDHWX/3IUBKxqfpstk4gedI"
    "QdmfWkRgBgZUGHwMZdtrmm0fwDzOiFK9HQIDAQAB"
)
RSA_2048 = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAutVygvkvGPHUU4iIfXmmminn3lw5hFVSUX/2zanxJ6l2"
    "VPM4Hspm5IMbHl6my0Dbdy/+f/xVcPurTxip4d4h/dqW4M/eAy00MQCq0xmEYBZ/PddHlI1vHM17Hw7wLRT9qoMM"
    "qy2Ov28ymM2y1uQ6zMvOoXDxYtdY3L/EW5C7CGEAbAFST45W8LFhZFGuiRLOox+GdGQSFfEpK2eM8162TsvWougf"
    "xa4QTWwrOf9rJkdWIZ2lyPVBBLYwC8TdCb3mRGej5cwxvu9NmchXGdHDvrn5fU3tcg7zQuIUuAqyw3LqgVWGWPuX"
    "7emRw0TQXp+l75MvJkQy+tqDvsBh1JvHxQIDAQAB"
)
