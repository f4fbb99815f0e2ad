"""Ask every external address in the text of the course whether it still answers (run weekly, needs the network)."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from set_owner import public_address, tracked_text_files

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"https?://[^\s\"'<>)\]}`\\|,]+")
DOI = re.compile(r"\bdoi\s*[=:]\s*[{\"']?(10\.\d{4,9}/[^\s\"'{},]+)", re.IGNORECASE)
#: Addresses of this machine, and examples.
NOT_EXTERNAL = re.compile(r"^https?://(127\.|localhost|\[::1\]|example\.)")


def addresses(text: str) -> set[str]:
    """External addresses and DOIs in a text.

    Examples
    --------
    >>> sorted(addresses("see https://a.org/b. doi = {10.1000/xyz}, http://127.0.0.1:80/"))
    ['https://a.org/b', 'https://doi.org/10.1000/xyz']
    """
    found = {match.rstrip(".;:*_") for match in ADDRESS.findall(text)}
    found |= {"https://doi.org/" + match.rstrip(".;") for match in DOI.findall(text)}
    return {address for address in found if not NOT_EXTERNAL.match(address)}


def answer(address: str) -> str | None:
    """None if the address answers, else what it said.  403 and 429 mean "not for robots": they count as alive."""
    headers = {"User-Agent": "cmslabs-link-check"}
    for attempt in range(3):
        try:
            with requests.get(address, headers=headers, timeout=30, stream=True) as reply:
                if reply.status_code < 400 or reply.status_code in (403, 405, 429):
                    return None
                problem = f"status {reply.status_code}"
                if reply.status_code < 500:
                    return problem
        except requests.RequestException as error:
            problem = f"{type(error).__name__} (attempt {attempt + 1})"
    return problem


def main() -> int:
    """Print the dead addresses and the files that hold them."""
    places: dict[str, list[Path]] = {}
    skip_own = "/OWNER/" in public_address()
    for path in tracked_text_files():
        for address in addresses(path.read_text(encoding="utf-8")):
            if not (skip_own and "OWNER" in address):
                places.setdefault(address, []).append(path.relative_to(ROOT))
    with ThreadPoolExecutor(8) as pool:
        problems = dict(zip(places, pool.map(answer, places), strict=True))
    dead = {address: problem for address, problem in problems.items() if problem}
    for address, problem in sorted(dead.items()):
        print(f"{address}: {problem}; in {', '.join(map(str, places[address]))}")
    print(f"{len(places)} addresses, {len(dead)} dead")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
