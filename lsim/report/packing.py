"""Numbers and programs in a page of text: JSON or source, deflated (RFC 1950), in base64.

Browsers inflate it themselves (`DecompressionStream`), a window when it is looked at.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any


def pack_text(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def pack_json(content: Any) -> str:
    return pack_text(json.dumps(content, separators=(",", ":"), allow_nan=False))
