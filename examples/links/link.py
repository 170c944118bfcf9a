"""Makes links to items for people without a login, for a voxkv behind CloudFront with a link key.

    export VOXKV_URL=https://d111111abcdef8.cloudfront.net LINK_KEY_ID=K2JCJMDEHXQW5F LINK_PRIVATE_KEY=private.pem
    python3 link.py order:1001 3600   # a link to that item, for an hour

It needs the packages botocore and cryptography. Only the place that makes links has the private key: never a page.
"""

import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def sign(message):
    """Signs with an RSA key, as CloudFront verifies: SHA-1, unless the link says otherwise, which botocore cannot."""
    private_key = load_pem_private_key(Path(os.environ["LINK_PRIVATE_KEY"]).read_bytes(), password=None)
    return private_key.sign(message, PKCS1v15(), SHA1())


def item_link(key, end):
    """Returns a link with which anybody reads the item under key, and nothing else, until end, a datetime."""
    # A URL's path cannot hold the keys . and .. ; the query can.
    place = f"?key={key}" if key in (".", "..") else "/" + quote(key, safe="")
    url = f"{os.environ['VOXKV_URL']}/v1/items{place}"
    return CloudFrontSigner(os.environ["LINK_KEY_ID"], sign).generate_presigned_url(url, date_less_than=end)


if __name__ == "__main__":
    key, seconds = sys.argv[1:]
    print(item_link(key, datetime.now(timezone.utc) + timedelta(seconds=int(seconds))))
